package privilege

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// As calls do on a thread that touches files as the user does. Threads have
// their own ids for that (setfsuid(2)), and lose root's power over files with
// root's.
func (u User) As(do func() error) error {
	if u.UID == 0 {
		return do()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Setfsgid(int(u.GID)); err != nil {
		return err
	}
	defer unix.Setfsgid(0)
	if err := unix.Setfsuid(int(u.UID)); err != nil {
		return err
	}
	defer unix.Setfsuid(0)
	return do()
}

// MayEnter tells whether the user, without supplementary groups, may change to
// the folder.
func (u User) MayEnter(dir string) bool {
	return u.As(func() error {
		fd, err := unix.Open(dir+"/.", unix.O_PATH|unix.O_CLOEXEC, 0)
		if err == nil {
			unix.Close(fd)
		}
		return err
	}) == nil
}
