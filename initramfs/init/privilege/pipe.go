package privilege

import (
	"os"

	"golang.org/x/sys/unix"
)

// InputPipe makes the pipe that a command of the user's reads as its standard
// input; ours is written to.
func (u User) InputPipe() (theirs int, ours *os.File, err error) { return u.pipe(0, 1, 0o644) }

// OutputPipe makes a pipe that a command of the user's writes to.
func (u User) OutputPipe() (theirs int, ours *os.File, err error) { return u.pipe(1, 0, 0o622) }

// pipe makes a pipe as the user: /dev/stdin, /dev/stdout and /dev/stderr are opened
// like any file, and a pipe belongs to who has made it. The mode lets everyone else
// do what the command's end is for, so that what a command of root's starts as
// another user can open it, too; nobody comes at a pipe but through the descriptors
// of a process that is its own (proc_pid_fd(5)). The command's end is blocking, and
// Go can stop waiting on ours.
func (u User) pipe(theirs, ours int, mode uint32) (int, *os.File, error) {
	var fds [2]int
	if err := u.As(func() error { return unix.Pipe2(fds[:], unix.O_CLOEXEC) }); err != nil {
		return -1, nil, os.NewSyscallError("pipe", err)
	}
	err := u.As(func() error { return unix.Fchmod(fds[0], mode) }) // its owner's to do
	if err == nil {
		err = unix.SetNonblock(fds[ours], true)
	}
	if err != nil {
		unix.Close(fds[0])
		unix.Close(fds[1])
		return -1, nil, os.NewSyscallError("pipe", err)
	}
	return fds[theirs], os.NewFile(uintptr(fds[ours]), "pipe"), nil
}
