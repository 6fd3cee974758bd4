package session

import (
	"os"

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
