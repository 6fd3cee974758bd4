package main

import (
	"bytes"
	"context"
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
	s, end := inTerminal(t, "sh", "-c", `
		trap 'echo caught ctrl-c' INT
		trap 'echo caught ctrl-z' TSTP
		trap 'stty size' WINCH
		stty size
		until [ "$line" = bye ]; do read line && echo "read $line"; done`)
	s.await(t, "30 100")
	if err := pty.Setsize(s.tty, &pty.Winsize{Rows: 41, Cols: 132}); err != nil {
		t.Fatal(err)
	}
	s.await(t, "41 132")
	s.enter(t, "hello\n")
	s.await(t, "read hello")
	s.enter(t, "\x03")
	s.await(t, "caught ctrl-c")
	s.enter(t, "\x1a")
	s.await(t, "caught ctrl-z")
	s.enter(t, "bye\n")
	end()
}

// TestAShellHasItsJobs: in the sandbox's terminal Ctrl-Z stops a shell's job, and
// neither the shell nor sbx.
func TestAShellHasItsJobs(t *testing.T) {
	s, end := inTerminal(t, "bash", "--norc", "-i")
	s.enter(t, "echo rea''dy\n")
	s.await(t, "ready")
	s.enter(t, "echo run''s; sleep 1000011\n")
	s.await(t, "runs")
	testhost.WaitFor(t, "the job", time.Minute, func() bool { return exec.Command("pgrep", "-x", "-f", "sleep 1000011").Run() == nil })
	s.enter(t, "\x1a")
	s.await(t, "Stopped")
	s.enter(t, "kill -KILL %1; wait %1; exit 0\nexit 0\n")
	end()
}

// inTerminal runs `sbx run -t` in a terminal of 30 lines and 100 columns. end
// waits for its end, which must be a good one.
func inTerminal(t *testing.T, command ...string) (s *screen, end func()) {
	t.Helper()
	testhost.Need(t)
	bin, err := guestInit()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("SBX_INIT", bin)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	t.Cleanup(cancel)
	c := exec.CommandContext(ctx, "sbx", append([]string{"run", "-t", "--"}, command...)...)
	tty, err := pty.StartWithSize(c, &pty.Winsize{Rows: 30, Cols: 100})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close() })
	s = newScreen(tty)
	return s, func() {
		t.Helper()
		if err := c.Wait(); err != nil {
			t.Errorf("%v\n%s", err, s.text())
		}
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
	limit := time.After(3 * time.Minute)
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
