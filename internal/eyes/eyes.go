// Package eyes asks the kernel what a user of the host may do, by being that user
// for a moment: owners, modes, access control lists and whatever else decides are
// then the kernel's to read, and not sbx's.
package eyes

import (
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// Of calls do with the file access of a user and one group, and gives back its
// error. For who is not root, that is the access of the user who asks.
func Of(uid, gid int, do func() error) error {
	if os.Geteuid() != 0 || uid == 0 {
		return do()
	}
	done := make(chan error)
	go func() {
		// The thread ends with the goroutine, and with it what it was.
		runtime.LockOSThread()
		if err := become(uid, gid); err != nil {
			done <- err
			return
		}
		done <- do()
	}()
	return <-done
}

// become changes this thread alone. Without the file system's user being root, the
// kernel takes away the capabilities that pass by permissions (capabilities(7)).
func become(uid, gid int) error {
	if _, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0); errno != 0 {
		return os.NewSyscallError("setgroups", errno)
	}
	if err := unix.Setfsgid(gid); err != nil {
		return os.NewSyscallError("setfsgid", err)
	}
	if err := unix.Setfsuid(uid); err != nil {
		return os.NewSyscallError("setfsuid", err)
	}
	if now, err := unix.SetfsuidRetUid(-1); err != nil || now != uid { // setfsuid(2) itself does not say
		return os.NewSyscallError("setfsuid", unix.EPERM)
	}
	return nil
}

// Blocked is the folder on the way to an absolute path that the user may not
// search, and "" if there is none.
func Blocked(uid, gid int, path string) string {
	above := filepath.Dir(filepath.Clean(path))
	if above == path {
		return ""
	}
	if outer := Blocked(uid, gid, above); outer != "" {
		return outer
	}
	err := Of(uid, gid, func() error {
		return unix.Faccessat(unix.AT_FDCWD, above, unix.X_OK, unix.AT_EACCESS)
	})
	if err == unix.EACCES {
		return above
	}
	return ""
}
