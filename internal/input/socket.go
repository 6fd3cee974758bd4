package input

import (
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// maxPeek is how far ahead a socket is read, in bytes: each look at it copies
// all of that.
const maxPeek = 64 << 10

// socket reads a stream socket by looks into its queue (recv(2), MSG_PEEK).
type socket struct {
	*waiter
	fd   int
	more edges
	buf  []byte // Read's

	mu    sync.Mutex
	ahead int
}

func openSocket(fd int) (Input, error) {
	if kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE); err != nil || kind != unix.SOCK_STREAM {
		return openPlain(fd)
	}
	w, err := newWaiter()
	if err != nil {
		return nil, err
	}
	s := &socket{waiter: w, fd: fd, buf: make([]byte, maxPeek)}
	if s.more, err = w.watchEdges(fd); err != nil {
		w.Close()
		return nil, err
	}
	return s, nil
}

// Read implements io.Reader.
func (s *socket) Read(b []byte) (int, error) {
	s.begin()
	defer s.end()
	for last := false; !s.closed.Load(); {
		n, full, err := s.peek(b)
		switch {
		case n > 0 || err != nil:
			return n, err
		case last:
			return 0, io.EOF
		case !full && hungUp(s.fd):
			last = true
			continue
		}
		if err := s.waitEdge(s.more); err != nil {
			return 0, err
		}
	}
	return 0, os.ErrClosed
}

// peek gives what stands in the queue behind what it gave already, if anything;
// full says that nothing more can be seen before some is taken.
func (s *socket) peek(b []byte) (n int, full bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ahead == maxPeek {
		return 0, true, nil
	}
	have, err := s.receive(s.buf[:min(maxPeek, s.ahead+len(b))], unix.MSG_PEEK)
	if err != nil {
		return 0, false, err
	}
	s.ahead = min(s.ahead, have)
	n = copy(b, s.buf[s.ahead:have])
	s.ahead += n
	return n, false, nil
}

func (s *socket) receive(b []byte, flags int) (int, error) {
	n, err := retry(func() (int64, error) {
		n, _, err := unix.Recvfrom(s.fd, b, flags|unix.MSG_DONTWAIT)
		return int64(n), err
	})
	return int(n), os.NewSyscallError("recv", err)
}

// Take implements Input.
func (s *socket) Take(n int) {
	s.mu.Lock()
	n = min(n, s.ahead)
	for left := n; left > 0; {
		got, err := s.receive(make([]byte, left), 0)
		if got == 0 || err != nil {
			break
		}
		left -= got
	}
	s.ahead -= n
	s.mu.Unlock()
	s.ring()
}
