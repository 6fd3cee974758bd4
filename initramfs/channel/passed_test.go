package channel

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// passingTo serves handle at one end of a unix socket, and dials the other as that of a
// container.
func passingTo(t testing.TB, handle Handler) *Client {
	t.Helper()
	host, guest := pipe(t)
	served := make(chan error, 1)
	go func() { served <- Serve(guest, handle) }()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, err := DialPassing(ctx, host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); <-served })
	return c
}

// saying answers a command by writing data, into the pipe where the host wants that.
func saying(data []byte, piped *[]bool) Handler {
	return func(r Request, s *Stream) {
		out := s.Output(*r.Command)
		*piped = append(*piped, out != nil)
		_ = s.Started(out != nil)
		if out != nil {
			_, _ = out.Write(data)
			out.Close()
		} else {
			_ = s.Send(KindStdout, data)
		}
		_ = s.SendJSON(KindExit, Exit{Code: 7})
	}
}

// The output of one command comes by the pipe, whole, before its end is told; that of
// the next in frames.
func TestOutputByPipe(t *testing.T) {
	said := [][]byte{bytes.Repeat([]byte("all of it\n"), 400_000), []byte("in a frame\n")}
	var piped []bool
	c := passingTo(t, func(r Request, s *Stream) { saying(said[len(piped)], &piped)(r, s) })
	for _, want := range said {
		to := outputFile(t)
		exit, err := c.Exec(t.Context(), Command{Argv: []string{"x"}}, Stdio{Stdout: to})
		if err != nil || exit.Code != 7 {
			t.Fatalf("%v, %v", exit, err)
		}
		if got, err := os.ReadFile(to.Name()); err != nil || !bytes.Equal(got, want) {
			t.Errorf("of %d bytes %d have come (%v)", len(want), len(got), err)
		}
	}
	if len(piped) != 2 || !piped[0] || piped[1] {
		t.Errorf("it came by the pipe: %v", piped)
	}
}

// What goes where the errors go, or not into a file, comes in frames, which keep the
// order; so does what the host has no pipe for.
func TestOutputInFrames(t *testing.T) {
	to, small := outputFile(t), []byte("small\n")
	var buffer bytes.Buffer
	for name, stdio := range map[string]Stdio{
		"errors go there, too": {Stdout: to, Stderr: to},
		"no file":              {Stdout: &buffer},
		"nobody reads":         {},
	} {
		t.Run(name, func(t *testing.T) {
			var piped []bool
			c := passingTo(t, saying(small, &piped))
			if _, err := c.Exec(t.Context(), Command{Argv: []string{"x"}}, stdio); err != nil || len(piped) != 1 || piped[0] {
				t.Errorf("%v, by the pipe: %v", err, piped)
			}
		})
	}
	var piped []bool
	c := connect(t, saying(small, &piped))
	if _, err := c.Exec(t.Context(), Command{Argv: []string{"x"}}, Stdio{Stdout: to}); err != nil || piped[0] {
		t.Errorf("without a pipe: %v, %v", err, piped)
	}
	if got, err := os.ReadFile(to.Name()); err != nil || string(got) != "small\nsmall\n" || buffer.String() != "small\n" {
		t.Errorf("%q and %q have come (%v)", got, &buffer, err)
	}
}

// A first process that keeps the pipe, and writes on when it has said that the command
// has ended, holds nobody, and leaves no more than a pipe holds.
func TestHostileKeepsThePipe(t *testing.T) {
	over := make(chan struct{})
	c := passingTo(t, func(r Request, s *Stream) {
		out := s.Output(*r.Command)
		_ = s.Started(true)
		go func() {
			defer close(over)
			defer out.Close()
			for {
				if _, err := out.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		}()
		_ = s.SendJSON(KindExit, Exit{})
	})
	to := outputFile(t)
	if _, err := c.Exec(t.Context(), Command{Argv: []string{"x"}}, Stdio{Stdout: to}); err != nil {
		t.Fatal(err)
	}
	<-over // its pipe is closed
}

// Whoever waits no longer is not held by a file that takes nothing.
func TestNobodyWaitsForThePipe(t *testing.T) {
	c := passingTo(t, func(r Request, s *Stream) {
		out := s.Output(*r.Command)
		_ = s.Started(true)
		_, _ = out.Write(make([]byte, 8<<20)) // more than both pipes hold
		out.Close()
	})
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	defer r.Close() // before that, as somebody may wait in w
	ctx, cancel := context.WithCancelCause(t.Context())
	over := errors.New("it is over")
	left := make(chan error, 1)
	go func() {
		_, err := c.Exec(ctx, Command{Argv: []string{"x"}}, Stdio{Stdout: w})
		left <- err
	}()
	waitFull(t, w)
	cancel(over)
	select {
	case err := <-left:
		if !errors.Is(err, over) {
			t.Errorf("it ends with %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("it waits for a reader")
	}
}

// waitFull waits until a pipe takes nothing more.
func waitFull(t *testing.T, w *os.File) {
	t.Helper()
	for limit := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		polled := []unix.PollFd{{Fd: int32(w.Fd()), Events: unix.POLLOUT}}
		if n, err := unix.Poll(polled, 0); n == 0 && err == nil {
			return
		}
		if time.Now().After(limit) {
			t.Fatal("the pipe takes more and more")
		}
	}
}

// What a sandbox has written that is lost meanwhile has come.
func TestOutputOfWhatIsLost(t *testing.T) {
	host, guest := pipe(t)
	served := make(chan error, 1)
	last := bytes.Repeat([]byte("the last words\n"), 2000)
	go func() {
		served <- Serve(guest, func(r Request, s *Stream) {
			out := s.Output(*r.Command)
			_ = s.Started(true)
			_, _ = out.Write(last)
			out.Close()
			guest.Close()
		})
	}()
	c, err := DialPassing(t.Context(), host)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { c.Close(); <-served }()
	to := outputFile(t)
	if exit, err := c.Exec(t.Context(), Command{Argv: []string{"x"}}, Stdio{Stdout: to}); err == nil {
		t.Errorf("its command ends with %v", exit)
	}
	if got, err := os.ReadFile(to.Name()); err != nil || !bytes.Equal(got, last) {
		t.Errorf("of %d bytes %d have come (%v)", len(last), len(got), err)
	}
}

// A reader that leaves closes the pipe, as one of the command's own would be.
func TestNobodyReadsThePipe(t *testing.T) {
	failed := make(chan error, 1)
	c := passingTo(t, func(r Request, s *Stream) {
		out := s.Output(*r.Command)
		_ = s.Started(true)
		_, err := out.Write(make([]byte, 8<<20))
		out.Close()
		failed <- err
		_ = s.SendJSON(KindExit, Exit{Signal: int(unix.SIGPIPE)})
	})
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	go func() {
		_, _ = io.ReadFull(r, make([]byte, 1000))
		r.Close()
	}()
	if exit, err := c.Exec(t.Context(), Command{Argv: []string{"x"}}, Stdio{Stdout: w}); err != nil || exit.Signal != int(unix.SIGPIPE) {
		t.Errorf("%v, %v", exit, err)
	}
	if err := <-failed; !errors.Is(err, unix.EPIPE) {
		t.Errorf("what writes is told %v", err)
	}
}

// What is handed in is the writing end of a pipe that is the host's own: it can be
// neither read nor opened anew by anybody else.
func TestWhatIsPassed(t *testing.T) {
	c := passingTo(t, func(r Request, s *Stream) {
		out := s.Output(*r.Command)
		defer out.Close()
		_ = s.Started(true)
		var stat unix.Stat_t
		flags, err := unix.FcntlInt(out.Fd(), unix.F_GETFL, 0)
		if err != nil || unix.Fstat(int(out.Fd()), &stat) != nil || stat.Mode != unix.S_IFIFO|0o600 || int(stat.Uid) != os.Geteuid() || flags&unix.O_ACCMODE != unix.O_WRONLY {
			t.Errorf("mode %o of user %d, flags %o, %v", stat.Mode, stat.Uid, flags, err)
		}
		_ = s.SendJSON(KindExit, Exit{})
	})
	if _, err := c.Exec(t.Context(), Command{Argv: []string{"x"}}, Stdio{Stdout: outputFile(t)}); err != nil {
		t.Error(err)
	}
}

func outputFile(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "output"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}
