package notify

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Of several messages the last of each kind counts, and what sd_notify knows besides is
// passed over, as are descriptors.
func TestNotices(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	s, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	var got []Notice
	s.Serve(func(n Notice) { got = append(got, n) })
	send(t, path, "READY=1\nSTATUS=one\n", "MAINPID=7\nWATCHDOG=1\nREADY=2\nSTATUS=two\nFDSTORE=1", "RELOADING=1\nMONOTONIC_USEC=1")
	s.Drain()
	var last Notice
	for _, n := range got {
		if n.Ready {
			last.Ready = true
		}
		if n.Says {
			last.Says, last.Text = true, n.Text
		}
		if n.Word != "" {
			last.Word = n.Word
		}
	}
	if want := (Notice{Ready: true, Word: Reloading, Text: "two", Says: true}); last != want {
		t.Errorf("got %+v of %+v, want %+v", last, got, want)
	}
}

// send sends messages, with a descriptor beside each.
func send(t *testing.T, path string, messages ...string) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	for _, m := range messages {
		if err := unix.Sendmsg(fd, []byte(m), unix.UnixRights(fd), &unix.SockaddrUnix{Name: path}, 0); err != nil {
			t.Fatal(err)
		}
	}
}

// FuzzRead reads any messages at all.
func FuzzRead(f *testing.F) {
	f.Add([]byte("READY=1\nSTATUS=Processing requests...\nMAINPID=4711"))
	f.Add([]byte("=\n==\nREADY"))
	f.Fuzz(func(t *testing.T, message []byte) {
		n := read([][]byte{message})
		if len(n.Text) > MaxText || n.Text != "" && !n.Says || !slices.Contains([]Word{"", Ready, Reloading, Stopping}, n.Word) || n.Word == Ready && !n.Ready {
			t.Errorf("%q is %+v", message, n)
		}
		if n.Ready && !strings.Contains(string(message), "READY=1") {
			t.Errorf("%q is said to be ready", message)
		}
	})
}
