package hostfile

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/mac"
	"github.com/sbx-dev/sbx/internal/stage"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema/diag"
)

// WriteAtomic writes a file that is there whole or not at all, into a folder that is
// there.
func WriteAtomic(path string, data []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Chmod(mode); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// WriteOwned writes a file of the given owner and mode, whatever the umask.
func WriteOwned(path string, data []byte, uid, gid int, mode fs.FileMode) error {
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return err
	}
	return SetOwner(path, uid, gid, mode)
}

// MkdirOwned makes a folder of the given owner and mode, whatever the umask.
func MkdirOwned(path string, uid, gid int, mode fs.FileMode) error {
	if err := os.Mkdir(path, 0o700); err != nil {
		return err
	}
	return SetOwner(path, uid, gid, mode)
}

// thisHost is where SELinux is asked.
const thisHost = mac.Host("/")

// ListenUnix makes a socket that only its owner can connect to, from its first
// moment and whatever the umask: the file gets the mode of the socket (bind in the
// kernel's net/unix/af_unix.c).
func ListenUnix(path string) (*net.UnixListener, error) {
	own := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var chmodErr error
		err := c.Control(func(fd uintptr) { chmodErr = unix.Fchmod(int(fd), 0o600) })
		return errors.Join(err, chmodErr)
	}}
	var l net.Listener
	err := thisHost.PlainSockets(func() (err error) {
		l, err = own.Listen(context.Background(), "unix", path)
		return err
	})
	if err != nil {
		return nil, err
	}
	return l.(*net.UnixListener), nil
}

// DialUnix connects to a socket at which a sandbox may answer.
func DialUnix(path string) (conn net.Conn, err error) {
	err = thisHost.PlainSockets(func() error {
		conn, err = net.Dial("unix", path)
		return err
	})
	return conn, err
}

// SetOwner changes the owner first: a change of owner clears mode bits.
func SetOwner(path string, uid, gid int, mode fs.FileMode) error {
	if err := os.Lchown(path, uid, gid); err != nil {
		return err
	}
	return os.Chmod(path, mode)
}

// RemoveUnlinked removes a file whose only name is path.
func RemoveUnlinked(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Sys().(*syscall.Stat_t).Nlink > 1 {
		return nil
	}
	return os.Remove(path)
}

// RemoveTree removes a folder that sbx made and all that is in it. Where
// something is mounted on it or inside, it removes nothing: what lies behind a mount is
// not sbx's.
func RemoveTree(dir string) error {
	table, err := stage.Mounts()
	if err != nil {
		return err
	}
	mounts := table.Below(dir)
	if table.At(dir) {
		mounts = append(mounts, stage.Mount{Path: dir})
	}
	if len(mounts) > 0 {
		return fault.New(diag.MountedOn, "%s: something is mounted on %s, so that sbx leaves the folder alone: umount it", dir, mounts[0].Path)
	}
	return os.RemoveAll(dir)
}

// RemoveFile removes a file that may not be there.
func RemoveFile(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
