package stage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/fresh"
	"github.com/sbx-dev/sbx/internal/hostpath"
)

// Folder is whose a folder is that is made, and with which mode: 0 is 0755.
type Folder struct {
	UID, GID int
	Mode     uint32
	Context  string // what SELinux is to know of it; "" leaves that to its policy
}

// MakeFolder makes a folder of the host that is missing, and gives it to a user of
// the host. Those above it are made, too, and belong to who runs this. What is there
// stays as it is. No link is followed that others than root can put there.
func MakeFolder(path string, f Folder) error {
	parent, name := filepath.Split(filepath.Clean(path))
	around, err := hostpath.Open(parent)
	if errors.Is(err, unix.ENOENT) {
		if err := MakeFolder(parent, Folder{UID: os.Geteuid(), GID: os.Getegid()}); err != nil {
			return err
		}
		around, err = hostpath.Open(parent)
	}
	if err != nil {
		return refused(parent, err)
	}
	defer around.Close()
	err = create(around, name, node{dir: true, uid: f.UID, gid: f.GID, mode: f.Mode, context: f.Context})
	if err == nil || errors.Is(err, fs.ErrExist) {
		return nil
	}
	return fmt.Errorf("cannot make %s: %w", path, err)
}

// node is an empty folder or file that is to be made.
type node struct {
	dir      bool
	uid, gid int
	mode     uint32 // 0 is 0755 of a folder, 0644 of a file
	context  string
}

// create makes it in an open folder, in which somebody else may be able to rename
// things at any moment: what is given an owner and a mode is what was made, and not
// what has its name by then.
func create(around *os.File, name string, n node) error {
	made, err := createPrivate(around, name, n.dir)
	if err != nil {
		return err
	}
	defer made.Close()
	mode := n.mode
	switch {
	case mode != 0:
	case n.dir:
		mode = 0o755
	default:
		mode = 0o644
	}
	if n.context != "" {
		if err := unix.Fsetxattr(int(made.Fd()), "security.selinux", []byte(n.context), 0); err != nil && !errors.Is(err, unix.EOPNOTSUPP) {
			return fmt.Errorf("label it %s: %w", n.context, err)
		}
	}
	if err := unix.Fchown(int(made.Fd()), n.uid, n.gid); err != nil { // first: it clears mode bits
		return err
	}
	return unix.Fchmod(int(made.Fd()), mode)
}

func createPrivate(around *os.File, name string, dir bool) (*os.File, error) {
	if dir {
		return createFolder(around, name)
	}
	const flags = unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Openat(int(around.Fd()), name, flags, 0o600)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// createFolder makes a folder and opens it, which takes two steps: what is opened is
// refused if it is not as a new one is.
func createFolder(around *os.File, name string) (*os.File, error) {
	if err := unix.Mkdirat(int(around.Fd()), name, 0o700); err != nil {
		return nil, err
	}
	made, err := hostpath.At(around, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, unix.RESOLVE_BENEATH)
	if err != nil {
		return nil, err
	}
	if err := fresh.Check(made); err != nil {
		made.Close()
		return nil, err
	}
	return made, nil
}
