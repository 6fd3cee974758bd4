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
	batch     = 1000
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
	fmt.Printf("%q %q %d %d %d\n", name(unix.Unshare(unix.CLONE_NEWUTS)), name(keys),
		took(func() { unix.Syscall(unix.SYS_GETPPID, 0, 0, 0) }), took(func() {
			if fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0); err == nil {
				unix.Close(fd)
			}
		}), set)
	return nil
}

func name(err error) string {
	if number, ok := err.(unix.Errno); ok {
		return unix.ErrnoName(number)
	}
	return fmt.Sprint(err)
}

// took is the time of one call, in the batch that was disturbed the least.
func took(call func()) int64 {
	least := time.Hour
	for range batches {
		start := time.Now()
		for range batch {
			call()
		}
		least = min(least, time.Since(start))
	}
	return least.Nanoseconds() / batch
}

// ask runs this test's program with the filter, or without.
func ask(t testing.TB, words string) (unshare, keys string, number, argument, set int64) {
	t.Helper()
	command := exec.Command("/proc/self/exe")
	command.Env = append(os.Environ(), filterVar+"="+words)
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscanf(string(out), "%q %q %d %d %d", &unshare, &keys, &number, &argument, &set); err != nil {
		t.Fatalf("%q: %v", out, err)
	}
	return unshare, keys, number, argument, set
}

// The kernel takes the filter, and it holds on every thread of Go's.
func TestFilterHolds(t *testing.T) {
	if testing.Short() {
		t.Skip("short: a program that emulates another processor takes no filters")
	}
	unshare, keys, _, _, _ := ask(t, "")
	if unshare != "EPERM" || keys != "ENOSYS" {
		t.Errorf("unshare gives %s, keyctl %s", unshare, keys)
	}
}

// BenchmarkFilter prints what a call costs with the filter, as a multiple of what it
// costs without: one that is decided by its number, and one by its arguments. Several
// runs of each take turns, and the quickest of each counts.
func BenchmarkFilter(b *testing.B) {
	with, without := [2]int64{1 << 60, 1 << 60}, [2]int64{1 << 60, 1 << 60}
	set := int64(1 << 60)
	for b.Loop() {
		for range 5 {
			_, _, number, argument, took := ask(b, "")
			set = min(set, took)
			with[0], with[1] = min(with[0], number), min(with[1], argument)
			_, _, number, argument, _ = ask(b, "none")
			without[0], without[1] = min(without[0], number), min(without[1], argument)
		}
	}
	b.ReportMetric(float64(set)/1000, "µs-to-set")
	for i, what := range []string{"getppid", "socket+close"} {
		b.ReportMetric(float64(with[i])/float64(without[i]), what+":with/without")
		b.ReportMetric(float64(without[i]), what+":ns-without")
	}
}
