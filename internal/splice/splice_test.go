package splice_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/splice"
)

// The kernel moves bytes into these by itself, but for the second: it does not append.
var targets = map[string]func(t *testing.T) (into *os.File, taken func() []byte){
	"a pipe":            func(t *testing.T) (*os.File, func() []byte) { return readEnd(t, 0) },
	"a pipe of ours":    func(t *testing.T) (*os.File, func() []byte) { return readEnd(t, unix.O_NONBLOCK) },
	"a file":            func(t *testing.T) (*os.File, func() []byte) { return file(t, os.O_WRONLY) },
	"a file's end":      func(t *testing.T) (*os.File, func() []byte) { return file(t, os.O_WRONLY|os.O_APPEND) },
	"a socket's stream": stream,
}

// All that comes out of a pipe arrives, in order, whatever it is moved into.
func TestAll(t *testing.T) {
	sent := bytes.Repeat([]byte("0123456789abcdef\n"), 200_000)
	for name, open := range targets {
		t.Run(name, func(t *testing.T) {
			into, taken := open(t)
			src, w := pipe(t)
			go func() { _, _ = w.Write(sent); w.Close() }()
			if err := splice.All(into, src); err != nil {
				t.Fatal(err)
			}
			into.Close()
			if got := taken(); !bytes.Equal(got, sent) {
				t.Errorf("of %d bytes %d arrived", len(sent), len(got))
			}
		})
	}
}

// A deadline ends what waits, and what stands in the pipe is moved behind it: no more
// than that, though the pipe is held open.
func TestRest(t *testing.T) {
	for name, open := range targets {
		t.Run(name, func(t *testing.T) {
			into, taken := open(t)
			src, w := pipe(t)
			if err := src.SetReadDeadline(time.Unix(1, 0)); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write([]byte("the last words")); err != nil {
				t.Fatal(err)
			}
			if err := splice.All(into, src); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("the deadline is over, and All says %v", err)
			}
			for range 2 { // the second finds nothing
				if err := splice.Rest(into, src); err != nil {
					t.Fatal(err)
				}
			}
			into.Close()
			if got := taken(); string(got) != "the last words" {
				t.Errorf("%q arrived", got)
			}
		})
	}
}

// A command can read the pipe that it writes to: what it has taken itself is not awaited.
func TestSomebodyTakes(t *testing.T) {
	for name, open := range targets {
		t.Run(name, func(t *testing.T) {
			into, taken := open(t)
			src, w := pipe(t)
			if _, err := w.Write([]byte("some")); err != nil {
				t.Fatal(err)
			}
			if err := splice.Move(into, src, len("some, and what is gone")); err != nil {
				t.Error(err)
			}
			into.Close()
			if got := taken(); string(got) != "some" {
				t.Errorf("%q arrived", got)
			}
		})
	}
}

// Where nobody reads any more, that is an error, also for who waits until somebody does.
func TestNobodyReads(t *testing.T) {
	gone, into := pipe(t)
	src, w := pipe(t)
	go func() { _, _ = w.Write(make([]byte, 1<<20)) }()
	go func() {
		_, _ = io.ReadFull(gone, make([]byte, 100<<10))
		gone.Close()
	}()
	if err := splice.All(into, src); !errors.Is(err, unix.EPIPE) {
		t.Errorf("nobody reads, and All says %v", err)
	}
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

// readEnd is the writing end of a pipe that somebody reads, with the flags.
func readEnd(t *testing.T, flags int) (*os.File, func() []byte) {
	t.Helper()
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	if err := unix.SetNonblock(fds[1], flags != 0); err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fds[1]), "into"), reading(os.NewFile(uintptr(fds[0]), "read"))
}

// reading reads all, and gives it at its end.
func reading(from io.Reader) func() []byte {
	all := make(chan []byte, 1)
	go func() {
		data, _ := io.ReadAll(from)
		all <- data
	}()
	return func() []byte { return <-all }
}

func file(t *testing.T, flags int) (*os.File, func() []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	f, err := os.OpenFile(path, flags|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, func() []byte {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
		}
		return data
	}
}

func stream(t *testing.T) (*os.File, func() []byte) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	other := os.NewFile(uintptr(fds[1]), "other")
	defer other.Close()
	conn, err := net.FileConn(other)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return os.NewFile(uintptr(fds[0]), "socket"), reading(conn)
}

// What stands in a pipe is read also when its deadline is over, but no more than a pipe
// holds: whoever goes on writing keeps nobody from the end.
func TestLeft(t *testing.T) {
	const most = 1 << 20 // that anybody's pipe can hold
	for name, written := range map[string]int{"some": 60_000, "more": 3 * most} {
		t.Run(name, func(t *testing.T) {
			src, w := pipe(t)
			if _, err := unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, most); err != nil {
				t.Fatal(err)
			}
			go w.Write(bytes.Repeat([]byte("x"), written))
			stands := min(written, most)
			for n := 0; n < stands; time.Sleep(time.Millisecond) {
				var err error
				if n, err = unix.IoctlGetInt(int(w.Fd()), unix.TIOCINQ); err != nil {
					t.Fatal(err)
				}
			}
			left := splice.Left(src)
			if n, err := left.Read(make([]byte, 1)); n != 1 || err != nil {
				t.Fatal(n, err)
			}
			if err := src.SetReadDeadline(time.Unix(1, 0)); err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(left); len(got) < stands-1 || len(got) > most || err != nil {
				t.Errorf("of %d bytes %d are read: %v", written, len(got), err)
			}
		})
	}
}

// All that a file holds behind where it is read next comes out of the pipe, also where
// somebody reads slowly; who reads no more ends it.
func TestInto(t *testing.T) {
	sent := bytes.Repeat([]byte("0123456789abcdef\n"), 200_000)
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, append([]byte("head"), sent...), 0o600); err != nil {
		t.Fatal(err)
	}
	open := func() *os.File {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		if _, err := io.ReadFull(f, make([]byte, len("head"))); err != nil {
			t.Fatal(err)
		}
		return f
	}
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	moved, from := make(chan error, 1), open()
	go func() { moved <- errors.Join(splice.Into(in, from), in.Close()) }()
	got, err := io.ReadAll(out)
	if err := errors.Join(err, <-moved); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("of %d bytes %d came out: %v", len(sent), len(got), err)
	}

	out, in, err = os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	from = open()
	go func() { moved <- splice.Into(in, from) }()
	if _, err := io.ReadFull(out, make([]byte, 1)); err != nil { // it has begun
		t.Fatal(err)
	}
	out.Close()
	if err := <-moved; !errors.Is(err, unix.EPIPE) {
		t.Errorf("nobody reads, and it gives %v", err)
	}
}
