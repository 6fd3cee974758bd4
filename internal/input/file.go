package input

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// file reads a file beside its offset, which others share, and moves that as far
// as the command has read.
type file struct {
	*waiter
	fd   int
	next int64 // where Read goes on
}

func openFile(fd int) (Input, error) {
	at, err := unix.Seek(fd, 0, io.SeekCurrent)
	if err != nil {
		return openPlain(fd)
	}
	w, err := newWaiter()
	return &file{w, fd, at}, err
}

// Read implements io.Reader.
func (f *file) Read(b []byte) (int, error) {
	f.begin()
	defer f.end()
	if f.closed.Load() {
		return 0, os.ErrClosed
	}
	n, err := retry(func() (int64, error) { n, err := unix.Pread(f.fd, b, f.next); return int64(n), err })
	switch {
	case err != nil:
		return 0, os.NewSyscallError("read", err)
	case n == 0:
		return 0, io.EOF
	}
	f.next += n
	return int(n), nil
}

// Take implements Input.
func (f *file) Take(n int) { _, _ = unix.Seek(f.fd, int64(n), io.SeekCurrent) }
