package privilege

import (
	"fmt"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// names are the capabilities in the order of their numbers (capabilities(7)).
var names = []string{
	"chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill",
	"setgid", "setuid", "setpcap", "linux_immutable", "net_bind_service",
	"net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner",
	"sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct",
	"sys_admin", "sys_boot", "sys_nice", "sys_resource", "sys_time",
	"sys_tty_config", "mknod", "lease", "audit_write", "audit_control",
	"setfcap", "mac_override", "mac_admin", "syslog", "wake_alarm",
	"block_suspend", "audit_read", "perfmon", "bpf", "checkpoint_restore",
}

// Set is a list of capabilities by number.
type Set []uintptr

// ParseSet reads names in lower case, without "cap_".
func ParseSet(list []string) (Set, error) {
	set := make(Set, 0, len(list))
	for _, name := range list {
		n := slices.Index(names, name)
		if n < 0 {
			return nil, fmt.Errorf("%q is no capability; there are %s", name, strings.Join(names, ", "))
		}
		set = append(set, uintptr(n))
	}
	return set, nil
}

// Confine takes from this process, on all its threads and for good, what no
// command may ever get: every capability outside of allowed leaves the bounding
// set, executing a file grants nothing more (no_new_privs), and no process of
// the sandbox can trace or dump this one. This process keeps what it holds now.
func Confine(allowed Set) error { return confine(allowed, everyThread) }

// ConfineThread is Confine for what this thread forks, and not for the other threads:
// each of thirty calls has every thread of the process interrupted to make it, which is
// most of what an emulated machine does here. That no process can trace or dump this one
// holds for all of it.
func ConfineThread(allowed Set) error { return confine(allowed, thisThread) }

func confine(allowed Set, call threadCall) error {
	for n := uintptr(0); ; n++ {
		held, _, errno := syscall.Syscall(syscall.SYS_PRCTL, unix.PR_CAPBSET_READ, n, 0)
		if errno != 0 {
			break // the kernel's last capability is passed
		}
		if held == 0 || slices.Contains(allowed, n) {
			continue
		}
		if err := call.prctl(unix.PR_CAPBSET_DROP, n); err != nil {
			return fmt.Errorf("cannot drop capability %d: %w", n, err)
		}
	}
	if err := call.prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL); err != nil {
		return fmt.Errorf("cannot clear the ambient capabilities: %w", err)
	}
	if err := call.prctl(unix.PR_SET_NO_NEW_PRIVS, 1); err != nil {
		return fmt.Errorf("cannot set no_new_privs: %w", err)
	}
	if err := call.lower(nil); err != nil {
		return fmt.Errorf("cannot clear the inheritable capabilities: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil { // of the process, not of a thread
		return fmt.Errorf("cannot hide from tracing: %w", err)
	}
	return nil
}

// threadCall makes a system call that changes an attribute of threads: of those that it
// is made on.
type threadCall func(number, first, second uintptr) syscall.Errno

func everyThread(number, first, second uintptr) syscall.Errno {
	_, _, errno := syscall.AllThreadsSyscall6(number, first, second, 0, 0, 0, 0)
	return errno
}

func thisThread(number, first, second uintptr) syscall.Errno {
	_, _, errno := syscall.Syscall6(number, first, second, 0, 0, 0, 0)
	return errno
}

func (call threadCall) prctl(option, argument uintptr) error {
	if errno := call(syscall.SYS_PRCTL, option, argument); errno != 0 {
		return errno
	}
	return nil
}
