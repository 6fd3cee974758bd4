package syscalls

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/bpf"
)

// Every call of every architecture stands in one list, and what stands in a list
// exists: a new release of the tables adds calls that somebody must decide about.
func TestEveryCallIsDecided(t *testing.T) {
	lists := []map[string]bool{allowed, conditional, refused, missing, gone}
	for arch, info := range architectures {
		for name := range info.SyscallNames {
			in := 0
			for _, list := range lists {
				if list[name] {
					in++
				}
			}
			if in != 1 {
				t.Errorf("%s: the call %s stands in %d lists", arch, name, in)
			}
		}
	}
	for _, list := range lists {
		for name := range list {
			if !isCall(name) {
				t.Errorf("no architecture has the call %s", name)
			}
		}
	}
}

// A group opens nothing that is open, or gone, and every word that a capability or
// `nested` stands for exists.
func TestWordsOpenSomething(t *testing.T) {
	for _, g := range groups {
		for _, name := range g.calls {
			if !refused[name] && !missing[name] && !conditional[name] {
				t.Errorf("%s: %s is not closed", g.Name, name)
			}
		}
		if isCall(g.Name) || g.What == "" {
			t.Errorf("%s is a system call's name, or nothing is said about it", g.Name)
		}
	}
	words := slices.Clone(Nested)
	for _, more := range byCapability {
		words = append(words, more...)
	}
	for _, w := range words {
		if wrong, _ := Check(w); wrong != "" {
			t.Error(wrong)
		}
	}
}

func TestCheck(t *testing.T) {
	for word, want := range map[string]string{
		"io_uring":       "",
		"userfaultfd":    "",
		"af_vsock":       "",
		"iouring":        `did you mean "io_uring"?`,
		"perf_event_opn": `did you mean "perf_event_open"?`,
		"Keyring":        `did you mean "keyring"?`,
		"everything":     "the groups are namespaces, mounts, ",
		"":               "the groups are",
		"read":           "is open to everyone",
		"io_uring_enter": `write "io_uring"`,
		"_sysctl":        "",
	} {
		wrong, help := Check(word)
		if got := wrong + ": " + help; (wrong == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%q: %s, want %q", word, got, want)
		}
	}
}

// call is a system call as the kernel shows it to the filter.
type call struct {
	name string
	args []uint32
}

// answers runs the program as the kernel does.
func answers(t *testing.T, arch string, words []string, number, architecture uint32, args []uint32) uint32 {
	t.Helper()
	raw, err := Program(arch, words)
	if err != nil {
		t.Fatal(err)
	}
	code, ok := bpf.Disassemble(raw)
	if !ok {
		t.Fatal("the program cannot be read")
	}
	vm, err := bpf.NewVM(code)
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, 64) // struct seccomp_data, big-endian as the machine of the package is
	binary.BigEndian.PutUint32(data[0:], number)
	binary.BigEndian.PutUint32(data[4:], architecture)
	for i, a := range args {
		binary.BigEndian.PutUint32(data[16+8*i:], a)
		binary.BigEndian.PutUint32(data[20+8*i:], 0xffffffff) // what the kernel does not look at
	}
	answer, err := vm.Run(data)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(answer)
}

var decisions = []struct {
	words  []string
	call   call
	answer uint32
}{
	{nil, call{name: "read"}, allow},
	{nil, call{name: "execve"}, allow},
	{nil, call{name: "seccomp"}, allow},
	{nil, call{name: "mount"}, eperm},
	{nil, call{name: "fsopen"}, eperm},
	{nil, call{name: "bpf"}, eperm},
	{nil, call{name: "io_uring_setup"}, eperm},
	{nil, call{name: "ptrace"}, eperm},
	{nil, call{name: "keyctl"}, enosys},
	{nil, call{name: "clone3"}, enosys},
	{nil, call{name: "nfsservctl"}, enosys},
	{nil, call{"clone", []uint32{0x01200011}}, allow}, // fork
	{nil, call{"clone", []uint32{0x003d0f00}}, allow}, // a thread
	{nil, call{"clone", []uint32{0x10000011}}, eperm},
	{nil, call{"clone", []uint32{0x02000011}}, eperm},
	{nil, call{"unshare", []uint32{0x200}}, allow},
	{nil, call{"unshare", []uint32{0x80}}, eperm},
	{nil, call{"unshare", []uint32{0x20000}}, eperm},
	{nil, call{"personality", []uint32{0xffffffff}}, allow},
	{nil, call{"personality", []uint32{0x40000}}, eperm},
	{nil, call{"socket", []uint32{1, 1, 0}}, allow},
	{nil, call{"socket", []uint32{2, 1 | 0x80800, 6}}, allow},
	{nil, call{"socket", []uint32{10, 2, 0}}, allow},
	{nil, call{"socket", []uint32{2, 6, 33}}, esocktnosupport},
	{nil, call{"socket", []uint32{2, 10, 3}}, esocktnosupport},
	{nil, call{"socket", []uint32{16, 3 | 0x80000, 0}}, allow},
	{nil, call{"socket", []uint32{16, 3, 12}}, eprotonosupport},
	{nil, call{"socket", []uint32{17, 3, 3}}, eafnosupport},
	{nil, call{"socket", []uint32{40, 1, 0}}, eafnosupport},
	{nil, call{"socket", []uint32{0, 1, 0}}, eafnosupport},
	{nil, call{"socketpair", []uint32{1, 1, 0}}, allow},
	{nil, call{"socketpair", []uint32{30, 1, 0}}, eafnosupport},
	{nil, call{"fchmodat", []uint32{0, 0, 0o1777}}, allow},
	{nil, call{"fchmodat", []uint32{0, 0, 0o4755}}, eperm},
	{nil, call{"fchmodat", []uint32{0, 0, 0o2755}}, eperm},
	{nil, call{"fchmodat2", []uint32{0, 0, 0o4755, 0}}, eperm},
	{nil, call{"fchmod", []uint32{3, 0o755}}, allow},
	{nil, call{"fchmod", []uint32{3, 0o106755}}, eperm},
	{nil, call{"mknodat", []uint32{0, 0, 0o104755}}, eperm},
	{nil, call{"openat", []uint32{0, 0, 0o101, 0o644}}, allow},
	{nil, call{"openat", []uint32{0, 0, 0o101, 0o4755}}, eperm},
	{nil, call{"openat", []uint32{0, 0, 0o20000002, 0o2755}}, eperm}, // O_TMPFILE
	{nil, call{"openat", []uint32{0, 0, 0o2, 0o7777}}, allow},        // no mode, but what was left there
	{nil, call{name: "openat2"}, enosys},
	{[]string{"setid"}, call{"fchmodat", []uint32{0, 0, 0o4755}}, allow},
	{[]string{"setid"}, call{name: "openat2"}, allow},
	{ByCapabilities([]string{"fsetid"}), call{"openat", []uint32{0, 0, 0o101, 0o4755}}, allow},
	{[]string{"namespaces"}, call{"clone", []uint32{0x10000011}}, allow},
	{[]string{"namespaces"}, call{name: "clone3"}, allow},
	{[]string{"namespaces"}, call{name: "mount"}, eperm},
	{Nested, call{name: "mount"}, allow},
	{Nested, call{name: "chroot"}, allow},
	{Nested, call{name: "bpf"}, eperm},
	{[]string{"af_packet"}, call{"socket", []uint32{17, 3, 3}}, allow},
	{[]string{"af_packet"}, call{"socket", []uint32{2, 10, 3}}, allow},
	{[]string{"af_packet"}, call{"socket", []uint32{16, 3, 12}}, eprotonosupport},
	{[]string{"af_netlink"}, call{"socket", []uint32{16, 3, 12}}, allow},
	{[]string{"af_tipc"}, call{"socketpair", []uint32{30, 1, 0}}, allow},
	{[]string{"keyring"}, call{name: "keyctl"}, allow},
	{ByCapabilities([]string{"sys_time", "chown"}), call{name: "clock_settime"}, allow},
	{ByCapabilities([]string{"sys_time", "chown"}), call{name: "mount"}, eperm},
}

func TestProgramDecides(t *testing.T) {
	for arch, info := range architectures {
		for _, d := range decisions {
			number, ok := info.SyscallNames[d.call.name]
			if !ok {
				t.Fatalf("%s has no %s", arch, d.call.name)
			}
			if got := answers(t, arch, d.words, uint32(number), uint32(info.ID), d.call.args); got != d.answer {
				t.Errorf("%s with %v open: %s(%#x) gives %#x, want %#x", arch, d.words, d.call.name, d.call.args, got, d.answer)
			}
		}
	}
}

// Numbers that are no call's do not exist, those of x32 among them, and no call of
// another architecture is taken for one of this by its number.
func TestProgramRefusesTheUnknown(t *testing.T) {
	for arch, info := range architectures {
		for _, number := range []uint32{600, 4000, 1<<30 + 59, 1<<31 + 1, 0xffffffff} {
			if got := answers(t, arch, Nested, number, uint32(info.ID), nil); got != enosys {
				t.Errorf("%s: the call %d gives %#x", arch, number, got)
			}
		}
		for other := range architectures {
			if other != arch {
				if got := answers(t, arch, nil, 0, uint32(architectures[other].ID), nil); got != kill {
					t.Errorf("%s: a call of %s gives %#x", arch, other, got)
				}
			}
		}
		const i386 = 0x40000003
		if got := answers(t, arch, nil, 1, i386, nil); got != kill {
			t.Errorf("%s: a call of a 32-bit program gives %#x", arch, got)
		}
	}
	if _, err := Program("riscv64", nil); err == nil {
		t.Error("a program is written for an architecture that has no list")
	}
	if _, err := Program("amd64", []string{"everything"}); err == nil {
		t.Error("an unknown word is taken")
	}
}

// The kernel takes 4096 instructions at most, and asks all of them on kernels that
// do not remember what is decided by the number alone (before 5.11).
func TestProgramIsShort(t *testing.T) {
	for arch := range architectures {
		raw, err := Program(arch, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(raw) > 400 {
			t.Errorf("%s: %d instructions", arch, len(raw))
		}
	}
}
