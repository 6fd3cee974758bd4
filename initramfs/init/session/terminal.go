package session

import (
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/initramfs/init/privilege"
)

// openTerminal makes a terminal that belongs to the user (pts(4)).
func openTerminal(size channel.Size, user privilege.User) (*ends, error) {
	master, err := openMaster(user)
	if err != nil {
		return nil, err
	}
	slave, err := openSlave(master)
	if err != nil {
		unix.Close(master)
		return nil, err
	}
	f := os.NewFile(uintptr(master), "terminal")
	e := &ends{inside: [3]int{slave, slave, slave}, stdin: f, unread: -1, outputs: [2]*os.File{f}, terminal: true}
	e.resize(size)
	return e, nil
}

// openMaster opens a new terminal's master as the user, to whom the slave
// belongs then: to give it away later would take CAP_CHOWN, which sbx-init does
// not have in a container.
func openMaster(user privilege.User) (fd int, err error) {
	err = user.As(func() error {
		fd, err = unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		return os.NewSyscallError("open /dev/ptmx", err)
	})
	return fd, err
}

// openSlave opens the command's end of a terminal, without its path: /dev/pts
// need not be the one that the master is of (ioctl_tty(2)).
func openSlave(master int) (int, error) {
	if err := unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0); err != nil {
		return -1, os.NewSyscallError("TIOCSPTLCK", err)
	}
	fd, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(master), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if errno != 0 {
		return -1, os.NewSyscallError("TIOCGPTPEER", errno)
	}
	return int(fd), nil
}

// The pauses between one end of input that is typed and the next.
const (
	firstEnd   = 20 * time.Millisecond
	longestEnd = 500 * time.Millisecond
)

// typeEnd types Ctrl-D at the terminal, or what stands for it there, until stop or
// an error. One alone ends a single read, after a line that is not finished not even
// that, and is lost to a program that is about to set the terminal up for itself, as
// shells do when they start.
func typeEnd(master *os.File, stop <-chan struct{}) {
	for pause := firstEnd; ; pause = min(2*pause, longestEnd) {
		if _, err := master.Write([]byte{endKey(master)}); err != nil {
			return
		}
		select {
		case <-stop:
			return
		case <-time.After(pause):
		}
	}
}

// endKey is what ends the input of a terminal now (VEOF in termios(3)). A program
// that has switched that off reads keys, of which Ctrl-D is the one.
func endKey(master *os.File) byte {
	const ctrlD = 'D' - '@'
	conn, err := master.SyscallConn()
	if err != nil {
		return ctrlD
	}
	key := byte(ctrlD)
	_ = conn.Control(func(fd uintptr) {
		if t, err := unix.IoctlGetTermios(int(fd), unix.TCGETS); err == nil && t.Cc[unix.VEOF] != 0 {
			key = t.Cc[unix.VEOF]
		}
	})
	return key
}
