package guard

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	kernel "github.com/google/nftables"
	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/compiler/firewall/nftables"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/runtime/internal/innerwall"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "guard" { // as Ensure starts it
		if err := Main(context.Background(), os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// process is the guard's; 0 where there is none.
func process(f Folder) int {
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range all {
		if argv, _ := os.ReadFile(path); strings.HasSuffix(string(argv), "\x00guard\x00"+f.Path(state.Guard)+"\x00") {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			return pid
		}
	}
	return 0
}

// kill ends it.
func kill(f Folder) {
	if pid := process(f); pid > 0 {
		_ = unix.Kill(pid, unix.SIGKILL)
	}
}

// There is one guard from the first wall to the last, whoever asks for one; where it is
// killed, that shows, and the next who asks starts another; and what it cannot mend it
// tells. Whether this kernel can hold a wall is not asked: this one is none.
func TestLife(t *testing.T) {
	f := fresh(t)
	t.Cleanup(func() { kill(f) })
	runtime.LockOSThread() // for good: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	argv := []string{os.Args[0], "guard"}
	ensure := func() int {
		t.Helper()
		if err := f.Ensure(t.Context(), argv, map[string]*nftables.Table{"sbx-web": wallNamed("sbx-web", "one")}); err != nil {
			t.Fatal(err)
		}
		testhost.WaitFor(t, "a guard", time.Minute, f.runs)
		if f.Ended() || f.Missing("sbx-web") {
			t.Fatalf("there is a guard, and it says %v, %v", f.Ended(), f.Missing("sbx-web"))
		}
		return process(f)
	}
	if err := f.Ensure(t.Context(), argv, nil); err != nil || f.runs() {
		t.Errorf("for no wall a guard runs: %v", err)
	}
	first := ensure()
	if second := ensure(); second != first {
		t.Errorf("asked for again, it is process %d and was %d", second, first)
	}
	if err := os.WriteFile(f.wall("sbx-db"), []byte("none"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := unix.Kill(first, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	testhost.WaitFor(t, "it to be gone", time.Minute, func() bool { return f.Ended() && f.Missing("sbx-web") && !f.Missing("sbx-mail") })
	if next := ensure(); next == first {
		t.Error("the next one is the same process")
	}
	testhost.WaitFor(t, "a note of what is no wall", time.Minute, func() bool {
		n, err := f.Note("sbx-db")
		return err == nil && n != nil && n.Failed != ""
	})
	for _, name := range []string{"sbx-db", "sbx-web"} {
		if !f.runs() {
			t.Errorf("before %s is gone, the guard is", name)
		}
		if err := f.Change(t.Context(), name, nil, func() error { return innerwall.Remove(name) }); err != nil {
			t.Fatal(err)
		}
	}
	testhost.WaitFor(t, "it to leave with the last", time.Minute, func() bool { return !f.runs() })
	if f.Ended() {
		t.Error("of no wall it is missing")
	}
	remove := func() {
		t.Helper()
		if err := f.Change(t.Context(), "sbx-web", nil, func() error { return innerwall.Remove("sbx-web") }); err != nil {
			t.Fatal(err)
		}
	}
	for range 10 { // whether the one before has left by then or not
		ensure()
		remove()
	}
	ensure()
	testhost.WaitFor(t, "a note of the new wall", time.Minute, func() bool {
		n, err := f.Note("sbx-web")
		return err == nil && n != nil && n.Mended+uint64(len(n.Failed)) > 0
	})
	if !f.runs() {
		t.Error("it has left a wall")
	}
	testhost.WaitFor(t, "it to be missing again", time.Minute, func() bool {
		kill(f) // also one that was started beside another, and would take its place
		return f.Ended()
	})
	ensure()
	remove()
	testhost.WaitFor(t, "it to leave again", time.Minute, func() bool { return !f.runs() })
}

// What the kernel cannot keep for the guard it does not lose silently.
func TestLostEvents(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	told, err := listen()
	if err != nil {
		t.Fatal(err)
	}
	defer told.file.Close()
	raw, err := told.file.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 1) }); err != nil { // the least there is
		t.Fatal(err)
	}
	change := func(name string) {
		t.Helper()
		conn, err := kernel.New()
		if err != nil {
			t.Fatal(err)
		}
		conn.AddTable(&kernel.Table{Name: name, Family: kernel.TableFamilyBridge})
		if err := conn.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	read := func() (all bool, names []string) {
		t.Helper()
		if err := told.file.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		all, err := told.read(func(table string) { names = append(names, table) })
		if err != nil {
			t.Fatal(err)
		}
		return all, names
	}
	const many = 200
	for n := range many {
		change(fmt.Sprintf("sbx-%d", n))
	}
	if all, names := read(); !all || len(names) == many {
		t.Errorf("%d of %d changes were kept, and some lost: %v", len(names), many, all)
	}
	change("sbx-last")
	if all, names := read(); all || !slices.Equal(names, []string{"sbx-last"}) {
		t.Errorf("then it is told of %q, and some lost: %v", names, all)
	}
}
