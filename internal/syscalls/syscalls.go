// Package syscalls says which system calls a sandbox's commands may make, and
// writes that as the program by which the kernel decides (seccomp(2)).
//
// It is a list of what is allowed. A call that stands in no list, such as one that
// a newer kernel has, does not exist inside (ENOSYS), so that a program takes the
// older way; one that is known to be power over the kernel, or a way into more of
// it than a service needs, is refused as the kernel itself would refuse it. A
// profile opens the latter by the words of this package.
//
// The numbers are those of github.com/elastic/go-seccomp-bpf, which has them for
// each architecture and is kept up with Linux. Its own compiler of filters is not
// used: it has one answer for all that is in no list (EPERM, which programs do not
// take for a missing call), only for the architecture that it runs on, and compares
// a call with all numbers in turn.
package syscalls

import (
	"fmt"
	"slices"
	"strings"

	"github.com/elastic/go-seccomp-bpf/arch"

	"github.com/sbx-dev/sbx/internal/slip"
)

// Group is what one word of a profile opens: calls and socket families.
type Group struct {
	Name     string
	What     string   // in words
	calls    []string // system calls, by name
	families []uint32 // of socket(2)
}

// groups are the words for more than one call, and for what is no call of its own.
var groups = []Group{
	{"namespaces", "new namespaces, user namespaces among them", strings.Fields("clone clone3 setns unshare"), nil},
	{"mounts", "mounts in namespaces of its own", strings.Fields("fsconfig fsmount fsopen fspick mount mount_setattr move_mount open_tree open_tree_attr pivot_root umount2"), nil},
	{"debug", "reading and steering other processes", strings.Fields("kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace"), nil},
	{"keyring", "the kernel's keys", strings.Fields("add_key keyctl request_key"), nil},
	{"io_uring", "queues of system calls", strings.Fields("io_uring_enter io_uring_register io_uring_setup"), nil},
	{"setid", "files that run as the one whom they belong to", strings.Fields("chmod creat fchmod fchmodat fchmodat2 mknod mknodat open openat openat2"), nil},
	{"modules", "kernel modules", strings.Fields("delete_module finit_module init_module"), nil},
	{"kexec", "another kernel, and the end of this one", strings.Fields("kexec_file_load kexec_load reboot"), nil},
	{"swap", "swap space", strings.Fields("swapoff swapon"), nil},
	{"quota", "file systems' quotas", strings.Fields("quotactl quotactl_fd"), nil},
	{"clock", "setting the clock", strings.Fields("clock_settime settimeofday"), nil},
	{"ports", "the processor's input and output ports", strings.Fields("ioperm iopl"), nil},
	{"af_packet", "packets as they are on the wire", nil, []uint32{afPacket}},
	{"af_netlink", "all of netlink, not the routes alone", nil, []uint32{afNetlink}},
	{"af_vsock", "sockets between machines and their host", nil, []uint32{40}},
	{"af_alg", "the kernel's cryptography", nil, []uint32{38}},
	{"af_can", "controller area networks", nil, []uint32{29}},
	{"af_bluetooth", "Bluetooth", nil, []uint32{31}},
	{"af_tipc", "TIPC", nil, []uint32{30}},
	{"af_xdp", "packets past the kernel's network", nil, []uint32{44}},
}

// Nested are the words that a program with sandboxes of its own needs, such as a
// browser or bubblewrap.
var Nested = []string{"chroot", "mounts", "namespaces"}

// byCapability are the words without which a capability is worth nothing: who is to
// hold it is to make these calls.
var byCapability = map[string][]string{
	"audit_write":     {"af_netlink"},
	"audit_control":   {"af_netlink"},
	"bpf":             {"bpf"},
	"dac_read_search": {"open_by_handle_at"},
	"net_admin":       {"af_netlink"},
	"fsetid":          {"setid"},
	"net_raw":         {"af_packet"},
	"perfmon":         {"perf_event_open"},
	"sys_admin":       {"fanotify_init", "mounts", "namespaces", "quota", "setdomainname", "sethostname", "swap"},
	"sys_boot":        {"kexec"},
	"sys_chroot":      {"chroot"},
	"sys_module":      {"modules"},
	"sys_pacct":       {"acct"},
	"sys_ptrace":      {"debug"},
	"sys_rawio":       {"ports"},
	"sys_time":        {"clock"},
	"sys_tty_config":  {"vhangup"},
	"syslog":          {"syslog"},
}

// ByCapabilities gives the words that the capabilities open.
func ByCapabilities(capabilities []string) (words []string) {
	for _, name := range capabilities {
		words = append(words, byCapability[name]...)
	}
	return words
}

// Groups gives the groups, in the order in which a person reads them.
func Groups() []Group { return slices.Clone(groups) }

// Calls gives the names of the system calls that the word opens; none for a socket
// family.
func (g Group) Calls() []string { return slices.Clone(g.calls) }

// Check says what is wrong with a word of a profile, and what to write: it must be a
// group, or a call that is not open to everyone. wrong is empty where nothing is.
func Check(word string) (wrong, help string) {
	switch {
	case lookup(word) != nil:
		return "", ""
	case !isCall(word):
		help = "the groups are " + strings.Join(groupNames(), ", ")
		if near := slip.Nearest(word, append(groupNames(), refusedCalls()...), max(2, len(word)/3)); near != "" {
			help = fmt.Sprintf("did you mean %q?", near)
		}
		return fmt.Sprintf("%q is neither a system call nor a group of them", word), help
	case allowed[word]:
		return "the system call " + word + " is open to everyone", "remove it"
	case group(word) != "":
		return "the system call " + word + " is opened together with those that it is worth nothing without", fmt.Sprintf("write %q", group(word))
	}
	return "", ""
}

// lookup finds a group.
func lookup(word string) *Group {
	if i := slices.IndexFunc(groups, func(g Group) bool { return g.Name == word }); i >= 0 {
		return &groups[i]
	}
	return nil
}

// group is the name of the group that a call is in.
func group(call string) string {
	for _, g := range groups {
		if slices.Contains(g.calls, call) {
			return g.Name
		}
	}
	return ""
}

func groupNames() (names []string) {
	for _, g := range groups {
		names = append(names, g.Name)
	}
	return names
}

// architectures are those that sandboxes run on, by Go's names for them.
var architectures = map[string]*arch.Info{"amd64": arch.X86_64, "arm64": arch.AARCH64}

// isCall says whether any of the architectures has the call.
func isCall(name string) bool {
	for _, a := range architectures {
		if _, ok := a.SyscallNames[name]; ok {
			return true
		}
	}
	return false
}

// Closed gives the calls that are refused whatever their arguments, with the
// architecture's numbers.
func Closed(architecture string) map[string]uintptr {
	numbers := map[string]uintptr{}
	a, ok := architectures[architecture]
	if !ok {
		return numbers
	}
	for name, n := range a.SyscallNames {
		if refused[name] || missing[name] {
			numbers[name] = uintptr(n)
		}
	}
	return numbers
}
