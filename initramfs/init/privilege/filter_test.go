package privilege

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The environment of a test's program that is to set the filter on itself first.
const (
	filterVar = "SBX_TEST_FILTER" // words that are open, or "none"
	batches   = 50                // of calls that are measured
)

func TestMain(m *testing.M) {
	if words, ok := os.LookupEnv(filterVar); ok {
		if err := underFilter(words); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// underFilter sets the filter and prints what the kernel says to closed calls, how
// long open ones take and how long it took to set the filter, in nanoseconds.
func underFilter(words string) error {
	runtime.LockOSThread()
	start := time.Now()
	if words != "none" {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return err
		}
		f, err := NewFilter(nil)
		if err != nil {
			return err
		}
		if err := f.Process(); err != nil {
			return err
		}
	}
	set := time.Since(start).Nanoseconds()
	_, keys := unix.KeyctlInt(unix.KEYCTL_GET_KEYRING_ID, unix.KEY_SPEC_SESSION_KEYRING, 0, 0, 0)
	fmt.Printf("%q %q %d", name(unix.Unshare(unix.CLONE_NEWUTS)), name(keys), set)
	for _, c := range measured {
		fmt.Printf(" %d", took(c.batch, c.call))
	}
	return nil
}

// measured are calls that the filter decides about by the number alone, by the
// arguments, and all that a command takes to start and end.
var measured = []struct {
	what  string
	batch int
	call  func()
}{
	{"getppid", 1000, func() { unix.Syscall(unix.SYS_GETPPID, 0, 0, 0) }},
	{"open+close", 1000, func() { closed(unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)) }},
	{"socket+close", 1000, func() { closed(unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)) }},
	{"start", 4, func() { _ = exec.Command("/bin/true").Run() }},
}

func closed(fd int, err error) {
	if err == nil {
		unix.Close(fd)
	}
}

func name(err error) string {
	if number, ok := err.(unix.Errno); ok {
		return unix.ErrnoName(number)
	}
	return fmt.Sprint(err)
}

// took is the time of one call, in the batch that was disturbed the least.
func took(batch int, call func()) int64 {
	least := time.Hour
	for range batches {
		start := time.Now()
		for range batch {
			call()
		}
		least = min(least, time.Since(start))
	}
	return least.Nanoseconds() / int64(batch)
}

// answers are what such a program has printed.
type answers struct {
	unshare, keys string
	set           int64
	took          [4]int64 // of measured
}

// ask runs this test's program with the filter, or without.
func ask(t testing.TB, words string) (a answers) {
	t.Helper()
	command := exec.Command("/proc/self/exe")
	command.Env = append(os.Environ(), filterVar+"="+words)
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscanf(string(out), "%q %q %d %d %d %d %d", &a.unshare, &a.keys, &a.set, &a.took[0], &a.took[1], &a.took[2], &a.took[3]); err != nil {
		t.Fatalf("%q: %v", out, err)
	}
	return a
}

// The kernel takes the filter, and it holds on every thread of Go's.
func TestFilterHolds(t *testing.T) {
	if testing.Short() {
		t.Skip("short: a program that emulates another processor takes no filters")
	}
	if a := ask(t, ""); a.unshare != "EPERM" || a.keys != "ENOSYS" {
		t.Errorf("unshare gives %s, keyctl %s", a.unshare, a.keys)
	}
}

// BenchmarkFilter prints what a call, and a command's start and end, cost with the
// filter, as a multiple of what they cost without. Several runs of each take turns, and
// the quickest of each counts.
func BenchmarkFilter(b *testing.B) {
	var with, without answers
	for i := range measured {
		with.took[i], without.took[i] = 1<<60, 1<<60
	}
	with.set = 1 << 60
	for b.Loop() {
		for range 5 {
			now := ask(b, "")
			with.set = min(with.set, now.set)
			with.least(now)
			without.least(ask(b, "none"))
		}
	}
	b.ReportMetric(float64(with.set)/1000, "µs-to-set")
	for i, m := range measured {
		b.ReportMetric(float64(with.took[i])/float64(without.took[i]), m.what+":with/without")
		b.ReportMetric(float64(without.took[i]), m.what+":ns-without")
	}
}

func (a *answers) least(now answers) {
	for i := range a.took {
		a.took[i] = min(a.took[i], now.took[i])
	}
}
