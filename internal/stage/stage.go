// Package stage makes the mounts through which a sandbox sees its host, before
// libvirt looks: each path of the host is opened once, by descriptor, and what
// that leads to is what the sandbox gets, whatever becomes of the path.
//
// A stage is a folder in memory that only root and one further id may enter, and
// in which nobody can change anything once it is sealed. Everything that is
// mounted in it
//
//   - is a clone of the host's mount and not the mount itself: nothing that is
//     mounted on one of the two later appears on the other;
//   - is read-only unless it is asked to be writable, and never obeys set-id bits
//     or device files;
//   - has the mounts below it on the host as well, read-only, but for those by
//     which the kernel is controlled, which are covered by nothing unless they are
//     asked for as figures.
//
// What may not be searched on the way to a path does not matter to who uses the
// stage; the path's own owner and mode do.
//
// The kernel forgets a stage when the host stops, and Remove takes it away at any
// time, also that of a process that was killed. Both leave an empty folder, which
// is all that a stage ever has on a disk.
package stage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/hostpath"
)

// limit bounds the memory of a stage's own folders and mount points.
const limit = "16m"

// Contexts are what SELinux knows of a stage's own memory, empty where it is not on:
// else that depends on who makes the stage.
type Contexts struct {
	Own     string // of what is read-only
	Written string // of a Memory
}

// Stage is a stage that is being made.
type Stage struct {
	dir      string
	contexts Contexts
	root     *os.File
	memory   []*os.File // folders that the stage has put together, read-only once it is sealed
	covers   int
	figures  map[uint64]bool // mounts of the kernel's own file systems that are to be seen
}

// New makes an empty stage at dir, whose parent must be there and root's own. The
// host's user reader may enter it.
func New(dir string, reader int, contexts Contexts) (*Stage, error) {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	memory, err := newMemory(contexts.Own, map[string]string{"size": limit, "mode": "0500", "uid": fmt.Sprint(reader), "gid": "0"})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	defer memory.Close()
	point, err := os.OpenFile(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer point.Close()
	if err := attach(memory, point); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	root, err := os.OpenFile(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, errors.Join(err, Remove(dir))
	}
	real, err := os.Readlink(hostpath.Descriptor(root)) // as the kernel's table of mounts has it
	if err != nil {
		root.Close()
		return nil, errors.Join(err, Remove(dir))
	}
	return &Stage{dir: real, contexts: contexts, root: root, figures: map[uint64]bool{}}, nil
}

// Close gives back the descriptors; the mounts stay.
func (s *Stage) Close() {
	s.root.Close()
	for _, m := range s.memory {
		m.Close()
	}
}

// Place is a path in a stage, from which paths below are looked up: no link
// leads out of it.
type Place struct {
	stage   *Stage
	file    *os.File
	name    string
	rebuilt []string
}

// Rebuilt are the folders of the place that were put together anew. Each holds what
// stood there at that moment: a file that is replaced on the host later stays as it
// was, and one that is new there does not appear.
func (p *Place) Rebuilt() []string { return p.rebuilt }

// Place makes a folder of the stage, by a name without slashes.
func (s *Stage) Place(name string) (*Place, error) {
	if err := unix.Mkdirat(int(s.root.Fd()), name, 0o755); err != nil && !errors.Is(err, unix.EEXIST) {
		return nil, fmt.Errorf("%s: %w", filepath.Join(s.dir, name), err)
	}
	if err := unix.Fchmodat(int(s.root.Fd()), name, 0o755, 0); err != nil { // whatever the umask
		return nil, fmt.Errorf("%s: %w", filepath.Join(s.dir, name), err)
	}
	return s.open(name)
}

func (s *Stage) open(name string) (*Place, error) {
	f, err := hostpath.At(s.root, name, unix.O_PATH|unix.O_DIRECTORY, unix.RESOLVE_IN_ROOT|unix.RESOLVE_NO_SYMLINKS)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(s.dir, name), err)
	}
	return &Place{stage: s, file: f, name: name}, nil
}

// Close gives back the descriptor.
func (p *Place) Close() { p.file.Close() }

// Mount mounts the source on the place itself, which is from then on a Place in
// the source.
func (p *Place) Mount(source *Source, o Options) (*Place, error) {
	if err := mountOn(source, p.file, o); err != nil {
		return nil, err
	}
	return p.stage.open(p.name)
}

// MountAt mounts the source at a path below the place. A mount point that is not
// there is made, and where it is read-only around, the folder is put together
// anew in memory, with the mount point in it.
func (p *Place) MountAt(path string, source *Source, o Options) error {
	point, err := p.point(path, source.IsDir())
	if err != nil {
		return err
	}
	defer point.Close()
	return mountOn(source, point, o)
}

// Point makes sure that something can be mounted at a path below the place.
func (p *Place) Point(path string, dir bool) error {
	point, err := p.point(path, dir)
	if err != nil {
		return err
	}
	return point.Close()
}

// Memory is an empty folder in memory.
type Memory struct {
	Size     int64 // in bytes
	Mode     uint32
	UID, GID int
}

// MemoryAt mounts a writable, empty folder at a path below the place.
func (p *Place) MemoryAt(path string, m Memory) error {
	point, err := p.point(path, true)
	if err != nil {
		return err
	}
	defer point.Close()
	memory, err := newMemory(p.stage.contexts.Written, map[string]string{
		"size": fmt.Sprint(m.Size), "mode": fmt.Sprintf("%#o", m.Mode), "uid": fmt.Sprint(m.UID), "gid": fmt.Sprint(m.GID),
	})
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer memory.Close()
	return attach(memory, point)
}

// Seal covers what must not be seen, and lets nobody change the stage's own
// folders from here on.
func (s *Stage) Seal() error {
	if err := s.cover(); err != nil {
		return err
	}
	for _, m := range s.memory {
		if err := readOnly(m); err != nil {
			return err
		}
	}
	return readOnly(s.root)
}

// Remove takes the stage at dir away with everything that is mounted in it. There
// may be none. Who has it mounted elsewhere, or its files open, keeps them.
func Remove(dir string) error {
	for {
		err := unix.Unmount(dir, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) { // it is no mount, or not there
			break
		}
		if err != nil {
			return fmt.Errorf("cannot unmount %s: %w", dir, err)
		}
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
