package session

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/initramfs/channel"
)

// openTerminal makes a terminal that belongs to the user uid (pts(4)).
func openTerminal(size channel.Size, uid uint32) (*ends, error) {
	master, err := openMaster(int(uid))
	if err != nil {
		return nil, err
	}
	slave, err := openSlave(master)
	if err != nil {
		unix.Close(master)
		return nil, err
	}
	f := os.NewFile(uintptr(master), "terminal")
	e := &ends{inside: [3]int{slave, slave, slave}, stdin: f, outputs: [2]*os.File{f}, terminal: true}
	e.resize(size)
	return e, nil
}

// openMaster opens a new terminal's master. The slave belongs to whoever opens
// the master, so this thread is the user for a moment: giving the slave away
// later would take CAP_CHOWN, which sbx-init does not have in a container.
func openMaster(uid int) (int, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if uid != 0 {
		if err := unix.Setfsuid(uid); err != nil {
			return -1, err
		}
		defer unix.Setfsuid(0)
	}
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: "/dev/ptmx", Err: err}
	}
	return fd, nil
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
