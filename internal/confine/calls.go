package confine

import (
	"slices"

	"github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"
)

// always are the calls of Go's runtime and of the C library's threads, and those that
// read, write and close what is open.
var always = []string{
	"brk", "madvise", "membarrier", "mmap", "mprotect", "mremap", "munmap",
	"exit", "exit_group", "futex", "getegid", "geteuid", "getgid", "getpid", "getrandom", "gettid", "getuid", "prctl", "restart_syscall", "rseq",
	"sched_getaffinity", "sched_yield", "set_robust_list", "set_tid_address", "tgkill",
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack",
	"clock_gettime", "clock_nanosleep", "gettimeofday", "nanosleep",
	"setitimer", "timer_create", "timer_delete", "timer_settime",
	"close", "dup", "dup3", "fcntl", "fstat", "lseek", "read", "readv", "write", "writev",
	"epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_wait", "eventfd2", "pipe2", "poll", "ppoll",
}

// threads lets a process have more threads, and no further process. What clone3
// makes, no filter can see: without it, the C library makes them by clone.
var threads = []seccomp.NameWithConditions{
	{Name: "clone", Conditions: seccomp.ArgumentConditions{{Argument: 0, Operation: seccomp.BitsSet, Value: unix.CLONE_THREAD}}},
}

// notThere is the answer of a kernel that has no such call.
const notThere = seccomp.ActionErrno | seccomp.Action(unix.ENOSYS)

// Sockets are the calls of a process that takes connections by a listening socket.
var Sockets = []string{"accept4", "getpeername", "getsockname", "getsockopt", "recvfrom", "recvmsg", "sendmsg", "sendto", "setsockopt", "shutdown"}

// Passing are those that it takes to pass on between connections, and to make them.
var Passing = []string{"connect", "splice"}

// sockets lets a process make sockets that it can connect with to its ports: none of
// the host's own kind, by which it would reach the host's services. What asks the
// kernel's packet filter has those that lead there alone.
func (c Confinement) sockets() (list []seccomp.NameWithConditions) {
	if c.NetAdmin {
		list = append(list, seccomp.NameWithConditions{Name: "socket", Conditions: seccomp.ArgumentConditions{
			{Argument: 0, Operation: seccomp.Equal, Value: unix.AF_NETLINK},
			{Argument: 2, Operation: seccomp.Equal, Value: unix.NETLINK_NETFILTER},
		}})
	}
	if len(c.Connects) == 0 {
		return list
	}
	for _, family := range []uint64{unix.AF_INET, unix.AF_INET6} {
		list = append(list, seccomp.NameWithConditions{Name: "socket", Conditions: seccomp.ArgumentConditions{
			{Argument: 0, Operation: seccomp.Equal, Value: family},
		}})
	}
	return list
}

// Rotating are those by which files of one folder are written, in turns.
var Rotating = []string{"newfstatat", "openat", "renameat", "renameat2"}

// known are those of the calls that there are on this architecture: the newer ones
// have no calls that others supersede.
func known(calls []string) []string {
	info, err := arch.GetInfo("")
	if err != nil { // the filter says so
		return calls
	}
	return slices.DeleteFunc(slices.Clone(calls), func(call string) bool {
		_, there := info.SyscallNames[call]
		return !there
	})
}
