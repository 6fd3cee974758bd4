package display

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/initramfs/manifest"
)

// The server is told of the clipboard and the size what the profile says, and never
// listens on a network.
func TestArguments(t *testing.T) {
	clipboard := func(in, out string) []string {
		return []string{"-AcceptCutText=" + in, "-SendCutText=" + out, "-SendPrimary=" + out}
	}
	for _, test := range []struct {
		d    manifest.Display
		want []string
	}{
		{manifest.Display{}, append(clipboard("0", "0"), "-AcceptSetDesktopSize=0")},
		{manifest.Display{ClipboardIn: true}, clipboard("1", "0")},
		{manifest.Display{ClipboardOut: true, Resize: true}, append(clipboard("0", "1"), "-AcceptSetDesktopSize=1")},
		{manifest.Display{ClipboardIn: true, ClipboardOut: true}, clipboard("1", "1")},
	} {
		got := arguments("/usr/bin/Xvnc", test.d)
		for _, want := range test.want {
			if !slices.Contains(got, want) {
				t.Errorf("%+v: %s is not in %q", test.d, want, got)
			}
		}
		for _, want := range []string{"-nolisten tcp", "-rfbport -1", "-auth /run/display/server", "-AllowOverride="} {
			if !strings.Contains(strings.Join(got, " "), want) {
				t.Errorf("%+v: %s is not in %q", test.d, want, got)
			}
		}
	}
}

// xauth reads the key as X programs do.
func TestEntry(t *testing.T) {
	xauth, err := exec.LookPath("xauth")
	if err != nil {
		t.Skip(err)
	}
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, entry(bytes.Repeat([]byte{0xab}, keyLength)), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(xauth, "-n", "-f", file, "list").CombinedOutput()
	if want := "MIT-MAGIC-COOKIE-1  " + strings.Repeat("ab", keyLength); err != nil || !strings.Contains(string(out), want) {
		t.Errorf("got %v:\n%s", err, out)
	}
}

// A server that hangs while it starts is waited for no longer than it may take, and its
// last words are told.
func TestAwaitAServerThatHangs(t *testing.T) {
	ready, silent, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer ready.Close()
	defer silent.Close()
	s := new(Server)
	s.words.read(io.NopCloser(strings.NewReader("compiling the keyboard\n")))
	err = s.await(ready, 10*time.Millisecond)
	if want := "the display's X server was not ready within 10ms; it said: compiling the keyboard"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// What a server said last is told though its end was seen first, and somebody else holds
// what it said it to.
func TestWordsOfAServerThatHasEnded(t *testing.T) {
	for range 100 {
		from, to, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := to.WriteString("no keyboard\n"); err != nil {
			t.Fatal(err)
		}
		s := new(Server)
		s.words.hear(from)
		if got := s.words.all(); got != "; it said: no keyboard" {
			t.Fatalf("%q", got)
		}
		to.Close()
	}
}
