package input

import (
	"errors"
	"io"
	"math"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/initramfs/channel"
)

// pipe reads a pipe by copies of what stands in it (tee(2)).
type pipe struct {
	*waiter
	fd       int
	more     edges
	copyTo   int // the ends of a pipe of our own
	copyFrom int
	size     int // of our own
	null     int

	mu    sync.Mutex
	ahead int  // bytes at the pipe's head that were given and not taken
	grown bool // the pipe is as large as it will be
}

// wide is the size of a pipe, in bytes, through which much comes: all that may be
// under way to a command has room in it.
const wide = channel.StdinWindow

func openPipe(fd int) (Input, error) {
	w, err := newWaiter()
	if err != nil {
		return nil, err
	}
	p := &pipe{waiter: w, fd: fd}
	if err := p.open(); err != nil {
		w.Close()
		return nil, err
	}
	return p, nil
}

func (p *pipe) open() (err error) {
	if p.more, err = p.watchEdges(p.fd); err != nil {
		return err
	}
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return os.NewSyscallError("pipe2", err)
	}
	p.copyFrom, p.copyTo = fds[0], fds[1]
	p.own = append(p.own, fds[:]...)
	p.fit()
	p.null, err = unix.Open(os.DevNull, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: os.DevNull, Err: err}
	}
	p.own = append(p.own, p.null)
	return nil
}

// fit makes our pipe as large as the other, if this user may have one of that
// size (pipe(7), pipe-max-size). It says whether all of the other has room.
func (p *pipe) fit() bool {
	size, err := unix.FcntlInt(uintptr(p.fd), unix.F_GETPIPE_SZ, 0)
	if err != nil || size <= p.size {
		return err == nil
	}
	if got, err := unix.FcntlInt(uintptr(p.copyTo), unix.F_SETPIPE_SZ, size); err == nil {
		p.size = got
		return true
	}
	p.size, _ = unix.FcntlInt(uintptr(p.copyTo), unix.F_GETPIPE_SZ, 0)
	return p.size >= size
}

// Read implements io.Reader.
func (p *pipe) Read(b []byte) (int, error) {
	p.begin()
	defer p.end()
	for last := false; !p.closed.Load(); {
		n, err := p.peek(b)
		switch {
		case n > 0 || err != nil:
			return n, err
		case last:
			return 0, io.EOF
		case hungUp(p.fd):
			last = true // but for what came before that
			continue
		}
		if err := p.waitEdge(p.more); err != nil {
			return 0, err
		}
	}
	return 0, os.ErrClosed
}

// peek gives what stands in the pipe behind what it gave already, if anything.
func (p *pipe) peek(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fit()
	have, err := retry(func() (int64, error) { return unix.Tee(p.fd, p.copyTo, math.MaxInt32, unix.SPLICE_F_NONBLOCK) })
	if err != nil {
		return 0, os.NewSyscallError("tee", err)
	}
	if int(have) > p.size/2 && !p.grown {
		p.grown = true
		_, _ = unix.FcntlInt(uintptr(p.fd), unix.F_SETPIPE_SZ, max(wide, p.size)) // it is but slower without
	}
	p.ahead = min(p.ahead, int(have)) // somebody else may have read some
	p.drop(p.copyFrom, p.ahead)
	n := 0
	if int(have) > p.ahead {
		if n, err = unix.Read(p.copyFrom, b); err != nil {
			return 0, os.NewSyscallError("read", err)
		}
	}
	p.drop(p.copyFrom, int(have)-p.ahead-n)
	p.ahead += n
	return n, nil
}

// drop takes n bytes out of a pipe; fewer where there are fewer.
func (p *pipe) drop(from, n int) {
	for n > 0 {
		taken, err := retry(func() (int64, error) { return unix.Splice(from, nil, p.null, nil, n, unix.SPLICE_F_NONBLOCK) })
		if taken <= 0 || err != nil {
			return
		}
		n -= int(taken)
	}
}

// retry calls again what a signal has interrupted; what would wait gives 0.
func retry(call func() (int64, error)) (int64, error) {
	for {
		n, err := call()
		switch {
		case errors.Is(err, unix.EAGAIN):
			return 0, nil
		case !errors.Is(err, unix.EINTR):
			return max(n, 0), err
		}
	}
}

// Take implements Input.
func (p *pipe) Take(n int) {
	p.mu.Lock()
	n = min(n, p.ahead)
	p.drop(p.fd, n)
	p.ahead -= n
	fits := p.fit()
	p.mu.Unlock()
	if !fits {
		p.ring() // there was more than our pipe has room for
	}
}
