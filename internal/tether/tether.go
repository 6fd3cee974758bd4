// Package tether is the process that ends a machine with its sbx: libvirt's
// embedded driver leaves QEMU running when the process that the driver is part of
// is killed. A tether holds nothing but a handle of QEMU and the end of a pipe,
// whose other end closes with sbx, however that ends.
package tether

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// The descriptors that a tether is started with.
const (
	pipeFD    = 3 // reads the end of the file when sbx has ended
	processFD = 4 // of the process to end
)

// Start ties the process to this one. argv starts this very program, so that it
// calls Main.
func Start(argv []string, process *os.File) error {
	ours, theirs, err := keepOpen()
	if err != nil {
		return err
	}
	defer theirs.Close()
	cmd := exec.Cmd{
		Path:        "/proc/self/exe",
		Args:        argv,
		Env:         []string{},
		Dir:         "/",
		ExtraFiles:  []*os.File{theirs, process},
		SysProcAttr: &syscall.SysProcAttr{Setsid: true}, // what the terminal sends us is not for it
	}
	if err := cmd.Start(); err != nil {
		unix.Close(ours)
		return fmt.Errorf("cannot start the process that ends QEMU with sbx: %w", err)
	}
	go cmd.Wait() // it ends with QEMU
	return nil
}

// keepOpen makes the pipe. Nobody closes our end, not even the garbage collector,
// as it would a file that nothing refers to: the kernel does when this process ends.
func keepOpen() (ours int, theirs *os.File, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return 0, nil, err
	}
	return fds[1], os.NewFile(uintptr(fds[0]), "pipe"), nil
}

// Main is a tether's life: until the process has ended, or sbx, and then the
// process by force.
func Main() error {
	const pipe, process = 0, 1
	for {
		fds := []unix.PollFd{pipe: {Fd: pipeFD}, process: {Fd: processFD, Events: unix.POLLIN}}
		_, err := unix.Poll(fds, -1) // it says that the pipe is closed without being asked
		switch {
		case err == unix.EINTR:
		case err != nil:
			return err
		case fds[process].Revents&unix.POLLIN != 0: // it has ended (pidfd_open(2))
			return nil
		case fds[pipe].Revents&unix.POLLHUP != 0:
			return unix.PidfdSendSignal(processFD, unix.SIGKILL, nil, 0)
		default:
			return fmt.Errorf("sbx starts this by itself")
		}
	}
}
