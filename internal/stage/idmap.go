package stage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// IDMap has what is mounted by it show users and groups of the host as others: the
// files of the one belong to the other there, and what the other makes there belongs to
// the one on the disk (mount_setattr(2), ID-mapped mounts).
type IDMap struct {
	ids   *os.File
	below bool // what is mounted below the source as well, where that can be
}

// NewSwap shows the members of each pair in each other's place. All other ids stay as
// they are.
func NewSwap(users, groups [2]int) (*IDMap, error) {
	return newIDMap(swapped(users), swapped(groups), false)
}

// Shown is a range of ids on the disk, and what the first of them is shown as.
type Shown struct{ Disk, As, Count int }

// Show shows these users and groups as others. Files of all other ids belong to
// nobody, and nobody else makes any.
func Show(users, groups []Shown) (*IDMap, error) {
	return newIDMap(mappings(users), mappings(groups), true)
}

func mappings(list []Shown) []syscall.SysProcIDMap {
	all := make([]syscall.SysProcIDMap, len(list))
	for i, s := range list {
		all[i] = syscall.SysProcIDMap{ContainerID: s.Disk, HostID: s.As, Size: s.Count}
	}
	return all
}

func newIDMap(users, groups []syscall.SysProcIDMap, below bool) (*IDMap, error) {
	ids, err := userNamespace(users, groups)
	if err != nil {
		return nil, fmt.Errorf("cannot make a user namespace: %w", err)
	}
	return &IDMap{ids, below}, nil
}

// Close gives back the descriptor; the mounts stay as they are.
func (w *IDMap) Close() { w.ids.Close() }

// Fits says whether a file system can show ids as others: the one on which a path
// lies, or would, if it were made.
func (w *IDMap) Fits(path string) (bool, error) {
	source, err := Open(path)
	for errors.Is(err, fs.ErrNotExist) && path != filepath.Dir(path) {
		path = filepath.Dir(path)
		source, err = Open(path)
	}
	if err != nil {
		return false, err
	}
	defer source.Close()
	return source.MapIDs(w)
}

// apply maps the ids on a clone that is mounted nowhere yet. What is mounted below it
// stays as it is where one file system there cannot.
func (w *IDMap) apply(tree *os.File) error {
	set := func(flags uint) error {
		return tell("mount_setattr", unix.MountSetattr(int(tree.Fd()), "", unix.AT_EMPTY_PATH|flags, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(w.ids.Fd())}))
	}
	if w.below && set(unix.AT_RECURSIVE) == nil {
		return nil
	}
	return set(0)
}

// MapIDs has all mounts of the source be by the map, which must stay open for as long
// as the source. Where ok is false they cannot be, and stay as they are.
func (s *Source) MapIDs(w *IDMap) (ok bool, err error) {
	tree, err := s.tree()
	if err != nil {
		return false, fmt.Errorf("%s: %w", s.Path, err)
	}
	err = w.apply(tree)
	if err == nil { // so that Allows can ask for more than reading
		err = tell("mount_setattr", unix.MountSetattr(int(tree.Fd()), "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY}))
	}
	switch {
	case err == nil:
		s.ids, s.seen = w, tree
		return true, nil
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.EPERM): // the file system has none; the mount has others already
		err = nil
	}
	tree.Close()
	return false, err
}

// lastID is the highest id: the one after it means none.
const lastID = 1<<32 - 2

// swapped maps each id to itself, but the two of the pair to each other.
func swapped(pair [2]int) []syscall.SysProcIDMap {
	low, high := min(pair[0], pair[1]), max(pair[0], pair[1])
	var all []syscall.SysProcIDMap
	for _, m := range []syscall.SysProcIDMap{
		{ContainerID: 0, HostID: 0, Size: low},
		{ContainerID: low, HostID: high, Size: 1},
		{ContainerID: low + 1, HostID: low + 1, Size: high - low - 1},
		{ContainerID: high, HostID: low, Size: min(high-low, 1)}, // none where the two are one
		{ContainerID: high + 1, HostID: high + 1, Size: lastID - high},
	} {
		if m.Size > 0 {
			all = append(all, m)
		}
	}
	return all
}

// userNamespace makes a user namespace. It takes a process, which is stopped before
// its first instruction and ended at once.
func userNamespace(users, groups []syscall.SysProcIDMap) (*os.File, error) {
	runtime.LockOSThread() // it is this thread that traces the process, and whose end would be its end
	defer runtime.UnlockOSThread()
	process, err := os.StartProcess("/proc/self/exe", []string{"sbx"}, &os.ProcAttr{Sys: &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER,
		UidMappings: users,
		GidMappings: groups,
		Ptrace:      true,
		Pdeathsig:   unix.SIGKILL,
	}})
	if err != nil {
		return nil, err
	}
	defer func() {
		_ = process.Kill()
		_, _ = process.Wait()
	}()
	return os.Open(fmt.Sprintf("/proc/%d/ns/user", process.Pid))
}
