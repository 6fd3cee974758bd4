package stage

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/hostpath"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema/diag"
)

// point opens what something is to be mounted on, and makes it where it is
// missing.
func (p *Place) point(at string, dir bool) (*os.File, error) {
	f, err := p.lookup(at)
	if errors.Is(err, unix.ENOENT) {
		if err = p.make(at, dir); err == nil {
			f, err = p.lookup(at)
		}
	}
	if err != nil {
		return nil, fault.New(diag.NoPlace, "cannot mount on %s: %w", at, err)
	}
	var info unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &info); err != nil {
		f.Close()
		return nil, err
	}
	if isDir := info.Mode&unix.S_IFMT == unix.S_IFDIR; isDir != dir {
		f.Close()
		return nil, fault.New(diag.NoPlace, "cannot mount on %s: one of the two is a folder, and the other is not", at)
	}
	return f, nil
}

func (p *Place) lookup(at string) (*os.File, error) {
	return hostpath.At(p.file, at, unix.O_PATH, unix.RESOLVE_IN_ROOT|unix.RESOLVE_NO_MAGICLINKS)
}

// make makes a mount point and the folders that lead to it.
func (p *Place) make(at string, dir bool) error {
	parent, name := path.Split(path.Clean("/" + at))
	around, err := p.lookup(parent)
	if errors.Is(err, unix.ENOENT) {
		if err := p.make(parent, true); err != nil {
			return err
		}
		around, err = p.lookup(parent)
	}
	if err != nil {
		return err
	}
	defer around.Close()
	own, err := p.stage.isOwn(around)
	if err != nil {
		return err
	}
	if own { // what is in the way can only be a link that leads nowhere
		if err := unix.Unlinkat(int(around.Fd()), name, 0); err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
		return makeNode(around, name, dir)
	}
	fixed, err := isReadOnly(around)
	if err != nil {
		return err
	}
	if !fixed {
		return makeNode(around, name, dir)
	}
	again, err := p.stage.rebuild(around, name)
	if err != nil {
		return fmt.Errorf("it is not there, and %s cannot be put together anew around it: %w", parent, err)
	}
	p.rebuilt = append(p.rebuilt, path.Clean(parent))
	if err := makeNode(again, name, dir); err != nil {
		return err
	}
	return p.reopen()
}

// reopen looks at the place anew, which may have been put together anew itself.
func (p *Place) reopen() error {
	now, err := p.stage.open(p.name)
	if err != nil {
		return err
	}
	p.file.Close()
	p.file = now.file
	return nil
}

// isOwn says whether an open folder is one that the stage has put together.
func (s *Stage) isOwn(f *os.File) (bool, error) {
	id, err := mountID(f)
	if err != nil {
		return false, err
	}
	for _, m := range s.memory {
		if own, err := mountID(m); err != nil || own == id {
			return true, err
		}
	}
	return false, nil
}

func isReadOnly(f *os.File) (bool, error) {
	var info unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &info); err != nil {
		return false, err
	}
	return info.Flags&unix.ST_RDONLY != 0, nil
}

// makeNode makes an empty folder or file, which belongs to whom the folder around
// it belongs to.
func makeNode(around *os.File, name string, dir bool) error {
	var owner unix.Stat_t
	if err := unix.Fstat(int(around.Fd()), &owner); err != nil {
		return err
	}
	err := create(around, name, node{dir: dir, uid: int(owner.Uid), gid: int(owner.Gid)})
	if errors.Is(err, unix.EEXIST) {
		return errors.New("it is a link that leads nowhere in the sandbox")
	}
	return err
}

// maxEntries bounds the folder that can be put together anew: each of its entries
// becomes a mount.
const maxEntries = 4096

// rebuild puts a read-only folder together anew in memory: each entry of it stands
// there as before, and others can be added until the stage is sealed. The entry
// called without is left out.
func (s *Stage) rebuild(old *os.File, without string) (*os.File, error) {
	dir, err := hostpath.At(old, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	entries, err := entriesOf(dir)
	dir.Close()
	if errors.Is(err, errEntries) {
		return nil, fmt.Errorf("it has %w, and sbx does that for no more: make the file on the host", err)
	}
	if err != nil {
		return nil, err
	}
	var info unix.Stat_t
	if err := unix.Fstat(int(old.Fd()), &info); err != nil {
		return nil, err
	}
	memory, err := newMemory(s.contexts.Own, map[string]string{
		"size": limit, "mode": fmt.Sprintf("%#o", info.Mode&0o7777), "uid": fmt.Sprint(info.Uid), "gid": fmt.Sprint(info.Gid),
	})
	if err != nil {
		return nil, err
	}
	for _, name := range entries {
		if name == without {
			continue
		}
		if err := s.carry(old, memory, name); err != nil {
			memory.Close()
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := attach(memory, old); err != nil {
		memory.Close()
		return nil, err
	}
	s.memory = append(s.memory, memory)
	return memory, nil
}

// errEntries is why a folder is not read to its end.
var errEntries = fmt.Errorf("more than %d entries", maxEntries)

// entriesOf are the names in an open folder, which somebody else may fill.
func entriesOf(dir *os.File) (names []string, err error) {
	for {
		more, err := dir.Readdirnames(maxEntries)
		names = append(names, more...)
		switch {
		case err == io.EOF:
			return names, nil
		case err != nil:
			return nil, err
		case len(names) > maxEntries:
			return nil, errEntries
		}
	}
}

// carry puts one entry of a folder into another one: a link as a copy, everything
// else as itself.
func (s *Stage) carry(from, to *os.File, name string) error {
	entry, err := hostpath.At(from, name, unix.O_PATH|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer entry.Close()
	var info unix.Stat_t
	if err := unix.Fstat(int(entry.Fd()), &info); err != nil {
		return err
	}
	if info.Mode&unix.S_IFMT == unix.S_IFLNK {
		return copyLink(entry, to, name, &info)
	}
	if err := makeNode(to, name, info.Mode&unix.S_IFMT == unix.S_IFDIR); err != nil {
		return err
	}
	point, err := hostpath.At(to, name, unix.O_PATH|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer point.Close()
	tree, err := clone(entry)
	if err != nil {
		return err
	}
	defer tree.Close()
	return attach(tree, point)
}

func copyLink(link, to *os.File, name string, info *unix.Stat_t) error {
	target := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(int(link.Fd()), "", target)
	if err != nil {
		return err
	}
	if err := unix.Symlinkat(string(target[:n]), int(to.Fd()), name); err != nil {
		return err
	}
	return unix.Fchownat(int(to.Fd()), name, int(info.Uid), int(info.Gid), unix.AT_SYMLINK_NOFOLLOW)
}
