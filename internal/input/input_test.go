package input

import (
	"bytes"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// sources are standard inputs that can be read without taking, with "hello,
// world" in them; write adds more and end ends them.
var sources = map[string]func(t *testing.T) (in *os.File, write func(string), end func()){
	"a pipe": func(t *testing.T) (*os.File, func(string), func()) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close(); w.Close() })
		return r, func(s string) { w.WriteString(s) }, func() { w.Close() }
	},
	"a file": func(t *testing.T) (*os.File, func(string), func()) {
		name := filepath.Join(t.TempDir(), "file")
		w, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		r, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close(); w.Close() })
		return r, func(s string) { w.WriteString(s) }, func() {}
	},
	"a socket": func(t *testing.T) (*os.File, func(string), func()) {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s")})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		w, err := net.DialUnix("unix", nil, l.Addr().(*net.UnixAddr))
		if err != nil {
			t.Fatal(err)
		}
		conn, err := l.AcceptUnix()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		r, err := conn.File()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close(); w.Close() })
		return r, func(s string) { io.WriteString(w, s) }, func() { w.CloseWrite() }
	},
}

func open(t *testing.T, f *os.File) Input {
	t.Helper()
	in, err := Open(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(in.Close)
	return in
}

// read reads n bytes.
func read(t *testing.T, in io.Reader, n int) string {
	t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(in, b); err != nil {
		t.Fatalf("reading %d bytes: %v", n, err)
	}
	return string(b)
}

// TestWhatIsNotTakenStays reads ahead in pieces, takes a part, and leaves the
// rest to the next reader.
func TestWhatIsNotTakenStays(t *testing.T) {
	for name, source := range sources {
		t.Run(name, func(t *testing.T) {
			f, write, end := source(t)
			write("hello, ")
			in := open(t, f)
			if got := read(t, in, 3) + read(t, in, 4); got != "hello, " {
				t.Errorf("read %q", got)
			}
			write("world")
			if got := read(t, in, 5); got != "world" {
				t.Errorf("then read %q", got)
			}
			in.Take(2)
			in.Take(4)
			write("!")
			if got := read(t, in, 1); got != "!" {
				t.Errorf("behind what was taken: %q", got)
			}
			end()
			if n, err := in.Read(make([]byte, 9)); n != 0 || err != io.EOF {
				t.Errorf("at the end: %d bytes, %v", n, err)
			}
			in.Close()
			if rest, err := io.ReadAll(f); err != nil || string(rest) != " world!" {
				t.Errorf("left %q, %v", rest, err)
			}
		})
	}
}

// TestMuchFlowsThrough has a writer fill the input while it is taken bit by bit.
// What is not taken is less than what the kernel holds of a socket's writer in one
// piece (36 KiB, net/unix/af_unix.c): a poll says that there is room again only when
// less than a quarter of the buffer is in use, pieces that are read in part included.
func TestMuchFlowsThrough(t *testing.T) {
	sent := bytes.Repeat([]byte("0123456789abcde\n"), 1<<16)
	for name, source := range sources {
		t.Run(name, func(t *testing.T) {
			f, write, end := source(t)
			stuck := time.AfterFunc(2*time.Minute, func() { panic(name + ": neither the writer nor the reader goes on") })
			defer stuck.Stop()
			written := make(chan struct{})
			go func() { write(string(sent)); end(); close(written) }()
			if name == "a file" {
				<-written
			}
			in := open(t, f)
			var got bytes.Buffer
			untaken, b := 0, make([]byte, 32<<10)
			for {
				n, err := in.Read(b)
				got.Write(b[:n])
				if untaken += n; untaken > 20<<10 {
					in.Take(untaken - 10<<10)
					untaken = 10 << 10
				}
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(got.Bytes(), sent) {
				t.Errorf("%d bytes of %d came, or others", got.Len(), len(sent))
			}
			in.Close()
			if rest, err := io.ReadAll(f); err != nil || len(rest) != untaken {
				t.Errorf("%d bytes are left, %v; not taken were %d", len(rest), err, untaken)
			}
		})
	}
}

// TestCloseEndsAReadThatWaits is for the session whose command has ended.
func TestCloseEndsAReadThatWaits(t *testing.T) {
	for _, name := range []string{"a pipe", "a socket"} {
		t.Run(name, func(t *testing.T) {
			f, write, _ := sources[name](t)
			in := open(t, f)
			ended := make(chan error)
			go func() {
				_, err := in.Read(make([]byte, 1))
				ended <- err
			}()
			time.Sleep(10 * time.Millisecond) // it may wait by now; the end is the same if not
			in.Close()
			if err := <-ended; err != os.ErrClosed {
				t.Errorf("got %v", err)
			}
			write("for the next one")
			if got := read(t, f, 16); got != "for the next one" {
				t.Errorf("the next one read %q", got)
			}
		})
	}
}

// TestADeviceIsReadAsItComes, since it has no head to look at.
func TestADeviceIsReadAsItComes(t *testing.T) {
	f, err := os.Open("/dev/zero")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got := read(t, open(t, f), 4); got != "\x00\x00\x00\x00" {
		t.Errorf("got %q", got)
	}
}
