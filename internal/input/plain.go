package input

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// plain reads what has no head to look at, as it comes.
type plain struct {
	*waiter
	fd int
}

func openPlain(fd int) (Input, error) {
	w, err := newWaiter()
	return &plain{w, fd}, err
}

// Read implements io.Reader.
func (p *plain) Read(b []byte) (int, error) {
	p.begin()
	defer p.end()
	for !p.closed.Load() {
		if events, err := p.wait(p.fd, unix.POLLIN, -1); err != nil || events == 0 {
			if err != nil {
				return 0, err
			}
			continue
		}
		n, err := unix.Read(p.fd, b)
		switch {
		case n > 0:
			return n, nil
		case err == nil:
			return 0, io.EOF
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.EAGAIN):
		default:
			return 0, os.NewSyscallError("read", err)
		}
	}
	return 0, os.ErrClosed
}

// Take implements Input.
func (*plain) Take(int) {}
