// Package confine takes from a process of sbx's own all that it does not need: the
// processes beside a sandbox read what that sandbox sends for as long as it runs, and
// begin as root. Who breaks into one of them has a user that owns nothing else, no
// capability but one that some need, no program to gain one from, just the system calls
// that the process makes on the descriptors that it was started with, and of what those
// could name, where the kernel has Landlock, its own folder and ports.
package confine

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"

	"github.com/elastic/go-seccomp-bpf"
	"golang.org/x/sys/unix"
)

// Confinement is what a process keeps.
type Confinement struct {
	// ID is the user and the group that it runs as. Without root it stays who it is.
	ID uint32
	// Folder is all that it can name: as the root of its file system. Where there is
	// none, no call of Calls may take a path.
	Folder *os.File
	// Files is how many descriptors it was started with, from 3 on. What else whoever
	// started it has left open is closed.
	Files int
	// FileSize bounds each file that it writes, in bytes. Zero: nothing does.
	FileSize uint64
	// Connects are the TCP ports that it may connect to, at whatever address. Where there
	// are none, it makes no socket.
	Connects []uint16
	// NetAdmin leaves the capability of that name to the goroutine that enters, whose
	// thread becomes its own, and lets the process make sockets of the kernel's packet
	// filter (netfilter's netlink), of no other kind.
	NetAdmin bool
	// Calls are the system calls that it may make besides those of Go's runtime and
	// those that read and write what is open.
	Calls []string
}

// Enter confines the whole process, for good. It is to be called before the process
// reads the first byte that somebody else has written.
func Enter(c Confinement) error {
	if err := closeOthers(3 + c.Files); err != nil {
		return fmt.Errorf("cannot close what was left open: %w", err)
	}
	if err := c.lock(); err != nil {
		return err
	}
	if err := c.leaveRoot(); err != nil {
		return fmt.Errorf("cannot give up root's privileges: %w", err)
	}
	filter := seccomp.Filter{
		NoNewPrivs: true,                    // which the kernel sets for all threads that get the filter
		Flag:       seccomp.FilterFlagTSync, // all there are
		Policy: seccomp.Policy{
			DefaultAction: seccomp.ActionErrno,
			Syscalls: []seccomp.SyscallGroup{
				{Names: append(known(always), known(c.Calls)...), NamesWithCondtions: slices.Concat(threads, c.sockets()), Action: seccomp.ActionAllow},
				{Names: []string{"clone3"}, Action: notThere},
			},
		},
	}
	if err := seccomp.LoadFilter(filter); err != nil {
		return fmt.Errorf("cannot bound the system calls of a process that need not be trusted: %w: sbx needs a kernel with CONFIG_SECCOMP_FILTER", err)
	}
	return nil
}

// closeOthers closes the descriptors from first on that came with the program. Those
// that this process has opened itself would not pass on to another one.
func closeOthers(first int) error {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, e := range open {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || fd < first {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			unix.Close(fd)
		}
	}
	return nil
}

// leaveRoot gives up what root has, but for what is open.
func (c Confinement) leaveRoot() error {
	if c.FileSize > 0 {
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: c.FileSize, Max: c.FileSize}); err != nil {
			return err
		}
	}
	if os.Geteuid() != 0 {
		return nil
	}
	if c.ID == 0 {
		return errors.New("it has no id to run as")
	}
	if c.Folder != nil {
		if err := errors.Join(unix.Fchdir(int(c.Folder.Fd())), unix.Chroot(".")); err != nil {
			return err
		}
	}
	// Package syscall's calls are those for all threads of the process.
	id := int(c.ID)
	change := func() error {
		return errors.Join(syscall.Setgroups(nil), syscall.Setresgid(id, id, id), syscall.Setresuid(id, id, id))
	}
	if c.NetAdmin {
		return keepNetAdmin(change)
	}
	return change()
}
