package stage

import (
	"errors"
	"fmt"
	"os"
	"path"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/figures"
	"github.com/sbx-dev/sbx/internal/hostpath"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema/diag"
)

// FiguresAt shows figures of the host's kernel at a path below the place, which must be a
// folder: "proc" are single files of /proc, those that this kernel has, and "sys" is
// /sys, without what is mounted in it. Nobody can write to either.
func (p *Place) FiguresAt(at, which string) error {
	point, err := p.point(at, true)
	if err != nil {
		return err
	}
	defer point.Close()
	switch which {
	case "proc":
		err = p.stage.showProc(point)
	case "sys":
		err = p.stage.showSys(point)
	default:
		err = fmt.Errorf("there are no such figures")
	}
	if err != nil {
		return fault.New(diag.NoSource, "the host's figures of /%s cannot be shown at %s: %w", which, at, err)
	}
	return nil
}

// showProc mounts a folder in memory with each of the files in it.
func (s *Stage) showProc(point *os.File) error {
	memory, err := newMemory(s.contexts.Own, map[string]string{"size": limit, "mode": "0555", "uid": "0", "gid": "0"})
	if err != nil {
		return err
	}
	for _, name := range figures.Proc {
		if err := s.showFile(memory, name); err != nil {
			memory.Close()
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := attach(memory, point); err != nil {
		memory.Close()
		return err
	}
	s.memory = append(s.memory, memory)
	return nil
}

// showFile mounts one file of /proc below a folder, if this kernel has it.
func (s *Stage) showFile(below *os.File, name string) error {
	file, err := openFigures(name)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	around, err := makeFolders(below, path.Dir(name))
	if err != nil {
		return err
	}
	defer around.Close()
	if err := makeNode(around, path.Base(name), false); err != nil {
		return err
	}
	point, err := hostpath.At(around, path.Base(name), unix.O_PATH|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer point.Close()
	tree, err := clone(file)
	if err != nil {
		return err
	}
	defer tree.Close()
	return s.show(tree, point)
}

// openFigures opens a file of /proc, and of no other file system. What is the network's
// is asked of this thread, of which it is certain which network it is in.
func openFigures(name string) (*os.File, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if rest, isNet := strings.CutPrefix(name, "net/"); isNet {
		name = "thread-self/net/" + rest
	}
	return hostpath.At(nil, "/proc/"+name, unix.O_PATH|unix.O_NOFOLLOW, unix.RESOLVE_NO_MAGICLINKS)
}

// makeFolders makes folders below an open one, and opens the last.
func makeFolders(below *os.File, name string) (*os.File, error) {
	around, err := hostpath.At(below, ".", unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	for step := range strings.SplitSeq(name, "/") {
		if err := create(around, step, node{dir: true}); err != nil && !errors.Is(err, unix.EEXIST) {
			around.Close()
			return nil, err
		}
		next, err := hostpath.At(around, step, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
		around.Close()
		if err != nil {
			return nil, err
		}
		around = next
	}
	return around, nil
}

// showSys mounts a /sys of its own, which shows the network that this thread is in, and
// nothing of what the host has mounted in its.
func (s *Stage) showSys(point *os.File) error {
	fs, err := unix.Fsopen("sysfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return tell("fsopen", err)
	}
	defer unix.Close(fs)
	if err := unix.FsconfigCreate(fs); err != nil {
		return tell("fsconfig", err)
	}
	fd, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, always|unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return tell("fsmount", err)
	}
	tree := os.NewFile(uintptr(fd), "sysfs")
	defer tree.Close()
	if err := s.show(tree, point); err != nil {
		return err
	}
	for _, hidden := range figures.SysHidden {
		if err := s.hide(tree, hidden); err != nil {
			return fmt.Errorf("%s: %w", hidden, err)
		}
	}
	return nil
}

// hide covers a folder of a mount, if that has it: by the mount itself, since what it
// stands in may be somebody's who renames it meanwhile.
func (s *Stage) hide(tree *os.File, name string) error {
	point, err := hostpath.At(tree, name, unix.O_PATH|unix.O_NOFOLLOW, unix.RESOLVE_BENEATH|unix.RESOLVE_NO_SYMLINKS)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	defer point.Close()
	return s.attachNothing(point, true)
}

// show attaches a mount of one of the kernel's own file systems, which cover leaves.
func (s *Stage) show(tree, point *os.File) error {
	id, err := mountID(tree)
	if err != nil {
		return err
	}
	s.figures[id] = true
	return attach(tree, point)
}
