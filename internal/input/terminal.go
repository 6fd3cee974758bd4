package input

import (
	"errors"
	"io"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// foregroundPause is how long a terminal's input is left to others before this
// process looks again whether it is in the foreground, of which nothing tells.
const foregroundPause = 200 * time.Millisecond

// terminal reads a terminal as a good job does: not in the background, and no
// further than the command, but for what one read gives.
type terminal struct {
	*waiter
	fd    int
	ahead atomic.Int64
}

// openTerminal has reads in the background fail (EIO) from now on, rather than
// stop this process.
func openTerminal(fd int) (Input, error) {
	w, err := newWaiter()
	if err != nil {
		return nil, err
	}
	signal.Ignore(syscall.SIGTTIN)
	return &terminal{waiter: w, fd: fd}, nil
}

// Close implements Input.
func (t *terminal) Close() {
	t.waiter.Close()
	signal.Reset(syscall.SIGTTIN)
}

// Read implements io.Reader.
func (t *terminal) Read(b []byte) (int, error) {
	t.begin()
	defer t.end()
	for !t.closed.Load() {
		ready, err := t.await()
		if err != nil {
			return 0, err
		}
		if !ready {
			continue
		}
		n, err := unix.Read(t.fd, b)
		switch {
		case n > 0:
			t.ahead.Add(int64(n))
			return n, nil
		case err == nil:
			return 0, io.EOF
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.EAGAIN):
		case errors.Is(err, unix.EIO) && !foreground(t.fd):
		default:
			return 0, os.NewSyscallError("read", err)
		}
	}
	return 0, os.ErrClosed
}

// await waits until something has changed, and says whether that is a line for
// the command, which has read all that was before it.
func (t *terminal) await() (ready bool, err error) {
	if t.ahead.Load() > 0 {
		_, err := t.wait(-1, 0, -1)
		return false, err
	}
	events, err := t.wait(t.fd, unix.POLLIN, -1)
	if events == 0 || err != nil {
		return false, err
	}
	if foreground(t.fd) {
		return true, nil
	}
	_, err = t.wait(-1, 0, foregroundPause)
	return false, err
}

// foreground says whether this process may read the terminal; everybody may who
// has another, or none.
func foreground(fd int) bool {
	group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
	return err != nil || group == unix.Getpgrp()
}

// Take implements Input.
func (t *terminal) Take(n int) {
	t.ahead.Add(-int64(n))
	t.ring()
}
