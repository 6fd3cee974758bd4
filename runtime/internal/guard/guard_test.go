package guard

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/compiler/firewall/nftables"
	"github.com/sbx-dev/sbx/internal/state"
)

// What the guard does in a kernel that can hold inner walls, package runtime's TestGuard
// tries.

// fresh is a state folder that others can pass.
func fresh(t *testing.T) Folder {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	base, err := os.MkdirTemp("/tmp", "sbx-guard-")
	if err == nil {
		err = os.Chmod(base, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(base) })
	return Of(state.Folder(filepath.Join(base, "sbx")))
}

func wallNamed(name, device string) *nftables.Table {
	return &nftables.Table{Name: name, Device: device, Chains: []nftables.Chain{{Name: "in"}}}
}

// The guard is told before the kernel is, and goes on as before where that fails.
func TestChange(t *testing.T) {
	f := fresh(t)
	none := errors.New("the kernel does not take it")
	is := func(when, want string) {
		t.Helper()
		data, _ := os.ReadFile(f.wall("sbx-web"))
		if has := strings.Contains(string(data), want); want == "" && len(data) > 0 || !has {
			t.Errorf("%s: it is to be %s, not of %q", when, data, want)
		}
	}
	called := false
	if err := f.Change(t.Context(), "sbx-web", nil, func() error { called = true; return nil }); err != nil || !called {
		t.Errorf("of no wall: %v", err)
	}
	if _, err := os.Lstat(f.Path(state.Guard)); err == nil {
		t.Error("without a wall there is a folder for them")
	}
	if err := f.Change(t.Context(), "sbx-web", wallNamed("sbx-web", "one"), func() error { is("in the first change", "one"); return none }); !errors.Is(err, none) {
		t.Errorf("it fails with %v", err)
	}
	is("the first has failed", "")
	for _, device := range []string{"one", "two"} {
		if err := f.Change(t.Context(), "sbx-web", wallNamed("sbx-web", device), func() error { is("in a change", device); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Change(t.Context(), "sbx-web", wallNamed("sbx-web", "three"), func() error { return none }); !errors.Is(err, none) {
		t.Errorf("it fails with %v", err)
	}
	is("a change has failed", "two")
	if err := f.Change(t.Context(), "sbx-web", nil, func() error { is("it goes", ""); return none }); !errors.Is(err, none) {
		t.Errorf("it fails with %v", err)
	}
	is("it was to go", "two")
	if err := os.WriteFile(f.note("sbx-web"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.Change(t.Context(), "sbx-web", nil, func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{state.Walls, state.Notes} {
		if left, err := os.ReadDir(f.Path(state.Guard, part)); len(left) > 0 || err != nil {
			t.Errorf("it leaves %v: %v", left, err)
		}
	}
	for _, name := range []string{"../escaped", "", ".new"} {
		if err := f.Change(t.Context(), name, wallNamed(name, "one"), func() error { return nil }); err == nil {
			t.Errorf("a wall may be called %q", name)
		}
	}
}

// Nothing but the guard writes its notes, but what it writes is read as anybody's.
func TestNotesAreReadWithCare(t *testing.T) {
	f := fresh(t)
	if err := f.make(); err != nil {
		t.Fatal(err)
	}
	if n, err := f.Note("sbx-web"); n != nil || err != nil {
		t.Errorf("there is %+v, %v", n, err)
	}
	path := f.note("sbx-web")
	for what, put := range map[string]func() error{
		"a link":   func() error { return os.Symlink("/etc/hostname", path) },
		"a pipe":   func() error { return unix.Mkfifo(path, 0o600) },
		"a folder": func() error { return os.Mkdir(path, 0o700) },
		"no JSON":  func() error { return os.WriteFile(path, []byte("sbx"), 0o600) },
		"too long": func() error {
			return os.WriteFile(path, []byte(`{"failed": "`+strings.Repeat("x", maxNote)+`"}`), 0o600)
		},
	} {
		if err := put(); err != nil {
			t.Fatal(err)
		}
		if n, err := f.Note("sbx-web"); err == nil {
			t.Errorf("%s is read as %+v", what, n)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	long := Note{Mended: 2, Last: time.Unix(1, 0).UTC(), Found: "absent", Failed: strings.Repeat("\x00", 2*maxNote)}
	long.write(path)
	if n, err := f.Note("sbx-web"); err != nil || n.Mended != 2 || len(n.Failed) != maxWhy {
		t.Errorf("what it writes is read as %+v: %v", n, err)
	}
}

// Who goes on removing a wall has it mended ever later, and at once again when it was left
// alone.
func TestPause(t *testing.T) {
	w := &watch{}
	if w.next(time.Now()).After(time.Now()) {
		t.Error("the first time it waits")
	}
	now := time.Unix(1000, 0)
	last := time.Duration(0)
	for range patience {
		if w.failed(now); w.next(now) != now {
			t.Errorf("the first times it waits")
		}
	}
	for range 20 {
		w.failed(now)
		wait := w.next(now).Sub(now)
		if wait < firstPause || wait > longPause || wait < last || wait == last && wait != longPause {
			t.Errorf("it waits %v, and before %v", wait, last)
		}
		last = wait
		now = now.Add(wait)
	}
	if last != longPause {
		t.Errorf("at last it waits %v", last)
	}
	now = now.Add(2 * aloneTime)
	if w.next(now).After(now) {
		t.Error("left alone, it waits")
	}
	if w.failed(now); w.next(now) != now {
		t.Errorf("left alone for a while, it waits %v then", w.next(now).Sub(now))
	}
}

// event is a message of the kernel's about a table.
func event(kind, family byte, attributes ...string) []byte {
	body := []byte{family, 0, 0, 0}
	for n, text := range attributes {
		value := append([]byte(text), 0)
		body = binary.NativeEndian.AppendUint16(body, uint16(unix.NLA_HDRLEN+len(value)))
		body = binary.NativeEndian.AppendUint16(body, uint16(n+1))
		body = append(body, value...)
		body = append(body, make([]byte, aligned(len(body))-len(body))...)
	}
	head := binary.NativeEndian.AppendUint32(nil, uint32(unix.NLMSG_HDRLEN+len(body)))
	head = binary.NativeEndian.AppendUint16(head, unix.NFNL_SUBSYS_NFTABLES<<8|uint16(kind))
	head = append(head, make([]byte, unix.NLMSG_HDRLEN-len(head))...)
	return append(head, body...)
}

func TestNamed(t *testing.T) {
	datagram := slices.Concat(
		event(unix.NFT_MSG_DELRULE, unix.NFPROTO_BRIDGE, "sbx-web", "in"),
		event(unix.NFT_MSG_DELTABLE, unix.NFPROTO_INET, "sbx-inet"),
		event(unix.NFT_MSG_DELTABLE, unix.NFPROTO_BRIDGE, "sbx-db"),
		event(unix.NFT_MSG_NEWGEN, unix.AF_UNSPEC, "gen"),
	)
	var got []string
	named(datagram, func(table string) { got = append(got, table) })
	if !slices.Equal(got, []string{"sbx-web", "sbx-db"}) {
		t.Errorf("it is about %q", got)
	}
}

// Whatever comes, it is read to its end, and names what a table can be called.
func FuzzNamed(f *testing.F) {
	f.Add(event(unix.NFT_MSG_DELTABLE, unix.NFPROTO_BRIDGE, "sbx-web"))
	f.Add([]byte{255, 255, 255, 255, 0, 10})
	f.Fuzz(func(t *testing.T, datagram []byte) {
		named(datagram, func(table string) {
			if len(table) > len(datagram) || strings.Contains(table, "\x00") {
				t.Errorf("it names %q", table)
			}
		})
	})
}
