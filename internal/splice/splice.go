// Package splice moves what comes out of a pipe into another file, by splice(2) where
// the kernel can: the bytes are then not copied, and this process does not see them.
package splice

import (
	"errors"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// most is how much is moved at once, in bytes: as much as a pipe holds at most, unless
// an administrator allows more (pipe(7)).
const most = 1 << 20

// Widen makes a pipe larger, so that less often the one end waits for the other. One that
// this user may not make so large stays as it is.
func Widen(pipe *os.File) {
	if conn, err := pipe.SyscallConn(); err == nil {
		_ = conn.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, wide) })
	}
}

// wide is how large, in bytes.
const wide = 512 << 10

// All moves what comes out of the pipe src into dst until its end, or until the deadline
// of src is over, which is an error that is os.ErrDeadlineExceeded. Go can wait for src:
// it does not block.
func All(dst, src *os.File) error {
	for {
		n, err := waiting(src)
		if err == nil && n == 0 {
			return nil
		}
		if err == nil {
			err = move(dst, src, n)
		}
		if err != nil {
			return err
		}
	}
}

// Rest moves what stands in the pipe src by now into dst.
func Rest(dst, src *os.File) error {
	conn, err := src.SyscallConn()
	if err != nil {
		return err
	}
	var n int
	if control := conn.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), unix.TIOCINQ) }); control != nil {
		return control
	}
	if err != nil || n == 0 {
		return err
	}
	return move(dst, src, n)
}

// Into moves what a file holds, from where it is read next to its end, into a pipe. Go can
// wait for the pipe: it does not block.
func Into(pipe, file *os.File) error {
	to, err := pipe.SyscallConn()
	if err != nil {
		return err
	}
	for {
		var moved int64
		wait := to.Write(func(out uintptr) bool {
			for moved, err = 0, unix.EINTR; errors.Is(err, unix.EINTR); {
				moved, err = unix.Splice(int(file.Fd()), nil, int(out), nil, most, unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
			}
			return !errors.Is(err, unix.EAGAIN)
		})
		switch {
		case wait != nil:
			return wait
		case errors.Is(err, unix.EINVAL): // not of every file system
			_, err := io.CopyBuffer(struct{ io.Writer }{pipe}, struct{ io.Reader }{file}, make([]byte, most))
			return err
		case err != nil || moved == 0:
			return err
		}
	}
}

// waiting waits until something stands in the pipe, and says how much; nothing is the
// pipe's end.
func waiting(src *os.File) (n int, err error) {
	conn, err := src.SyscallConn()
	if err != nil {
		return 0, err
	}
	wait := conn.Read(func(fd uintptr) bool {
		polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if _, err = unix.Poll(polled, 0); err != nil {
			return !errors.Is(err, unix.EINTR)
		}
		if polled[0].Revents&unix.POLLIN != 0 {
			n, err = unix.IoctlGetInt(int(fd), unix.TIOCINQ)
		}
		return polled[0].Revents != 0 // POLLHUP alone is the end
	})
	return n, errors.Join(wait, err)
}

// errTaken says that somebody else has taken what stood in a pipe.
var errTaken = errors.New("somebody else has taken it")

// move moves n bytes that stand in src, or fewer where somebody else takes some of them:
// a command can open the pipe that it writes to.
func move(dst, src *os.File, n int) error {
	for n > 0 {
		moved, err := once(dst, src, min(n, most))
		if errors.Is(err, errTaken) {
			return nil
		}
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
			return copied(dst, src, n) // a file that is appended to, or what the call is denied
		}
		if err != nil {
			return err
		}
		n -= moved
	}
	return nil
}

// once moves some of at most n bytes, and waits until dst takes some.
func once(dst, src *os.File, n int) (moved int, err error) {
	from, err := src.SyscallConn()
	if err != nil {
		return 0, err
	}
	to, err := dst.SyscallConn()
	if err != nil {
		return 0, err
	}
	outer := from.Control(func(in uintptr) {
		inner := to.Control(func(out uintptr) {
			for {
				var took int64
				took, err = unix.Splice(int(in), nil, int(out), nil, n, unix.SPLICE_F_MOVE)
				moved = int(took)
				if errors.Is(err, unix.EAGAIN) {
					err = awaitSpace(int(out), int(in))
				} else if !errors.Is(err, unix.EINTR) {
					return
				}
				if err != nil && !errors.Is(err, unix.EINTR) {
					return
				}
			}
		})
		err = errors.Join(err, inner)
	})
	if err == nil && outer == nil && moved == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	return moved, errors.Join(err, outer)
}

// awaitSpace waits until out takes something, unless in has nothing for it.
func awaitSpace(out, in int) error {
	if n, err := unix.IoctlGetInt(in, unix.TIOCINQ); err != nil {
		return err
	} else if n == 0 {
		return errTaken
	}
	_, err := unix.Poll([]unix.PollFd{{Fd: int32(out), Events: unix.POLLOUT}}, -1)
	return err
}

// copied is move by a buffer.
func copied(dst, src *os.File, n int) error {
	conn, err := src.SyscallConn()
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{dst}, io.LimitReader(standing{conn}, int64(n)), make([]byte, min(n, most)))
	return err
}

// Left reads what comes out of src, a pipe or a terminal, and once src's deadline is over
// what stands in it by then: whoever reads late loses nothing. That ends after as much as
// a pipe holds at most, so that who goes on writing keeps nobody from the end.
func Left(src *os.File) io.Reader { return &left{src: src} }

type left struct {
	src  *os.File
	late io.Reader // nil until the deadline is over
}

// Read implements io.Reader.
func (l *left) Read(b []byte) (int, error) {
	if l.late == nil {
		n, err := l.src.Read(b)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		conn, err := l.src.SyscallConn()
		if err != nil {
			return 0, err
		}
		l.late = io.LimitReader(standing{conn}, most)
	}
	return l.late.Read(b)
}

// standing reads what stands in a pipe, which has its end where nothing does: also when the
// deadline of the pipe is over.
type standing struct{ pipe syscall.RawConn }

// Read implements io.Reader.
func (s standing) Read(b []byte) (n int, err error) {
	outer := s.pipe.Control(func(fd uintptr) {
		for n, err = unix.Read(int(fd), b); errors.Is(err, unix.EINTR); n, err = unix.Read(int(fd), b) {
		}
	})
	switch {
	case outer != nil:
		return 0, outer
	case errors.Is(err, unix.EAGAIN), err == nil && n == 0:
		return 0, io.EOF
	}
	return max(n, 0), err
}
