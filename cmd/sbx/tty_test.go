package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/sbx-dev/sbx/internal/testhost"
)

// TestTheTerminalIsTheCommands types at `sbx run -t` as a person does: the
// window's size and its changes, Ctrl-C and Ctrl-Z reach the command.
func TestTheTerminalIsTheCommands(t *testing.T) {
	testhost.Need(t)
	bin, err := guestInit()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("SBX_INIT", bin)
	c := exec.Command("sbx", "run", "-t", "--", "sh", "-c", `
		trap 'echo stopped by ctrl-c' INT
		trap 'stty size' WINCH
		stty size
		until [ "$line" = bye ]; do read line && echo "read $line"; done`)
	screen, err := pty.StartWithSize(c, &pty.Winsize{Rows: 30, Cols: 100})
	if err != nil {
		t.Fatal(err)
	}
	defer screen.Close()
	s := newScreen(screen)
	s.await(t, "30 100")
	if err := pty.Setsize(screen, &pty.Winsize{Rows: 41, Cols: 132}); err != nil {
		t.Fatal(err)
	}
	s.await(t, "41 132")
	s.enter(t, "hello\n")
	s.await(t, "read hello")
	s.enter(t, "\x03")
	s.await(t, "stopped by ctrl-c")
	s.enter(t, "bye\n")
	if err := c.Wait(); err != nil {
		t.Errorf("%v\n%s", err, s.text())
	}
}

// screen collects what a terminal shows.
type screen struct {
	tty  *os.File
	seen chan []byte
	all  bytes.Buffer
}

func newScreen(tty *os.File) *screen {
	s := &screen{tty: tty, seen: make(chan []byte)}
	go func() {
		defer close(s.seen)
		for {
			buf := make([]byte, 4096)
			n, err := tty.Read(buf)
			if err != nil {
				return
			}
			s.seen <- buf[:n]
		}
	}()
	return s
}

func (s *screen) text() string { return s.all.String() }

func (s *screen) enter(t *testing.T, keys string) {
	t.Helper()
	if _, err := io.WriteString(s.tty, keys); err != nil {
		t.Fatal(err)
	}
}

// await waits until the terminal shows a text for the first time.
func (s *screen) await(t *testing.T, text string) {
	t.Helper()
	limit := time.After(30 * time.Second)
	for !strings.Contains(s.all.String(), text) {
		select {
		case data, open := <-s.seen:
			if !open {
				t.Fatalf("ended before %q:\n%s", text, &s.all)
			}
			s.all.Write(data)
		case <-limit:
			t.Fatalf("no %q:\n%s", text, &s.all)
		}
	}
}
