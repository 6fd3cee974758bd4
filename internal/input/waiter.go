package input

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// waiter waits until there is something to read, and can be woken. It owns the
// descriptors that reading takes besides the input itself.
type waiter struct {
	bell    int // an eventfd
	own     []int
	closed  atomic.Bool
	reading sync.Mutex // held by Read
}

func newWaiter() (*waiter, error) {
	bell, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	return &waiter{bell: bell, own: []int{bell}}, nil
}

// begin and end stand around each Read.
func (w *waiter) begin() { w.reading.Lock() }

func (w *waiter) end() {
	w.reading.Unlock()
	w.release()
}

// Close implements Input. A Read that the kernel does not let go of gives up the
// descriptors when it returns.
func (w *waiter) Close() {
	w.closed.Store(true)
	w.ring()
	w.release()
}

func (w *waiter) release() {
	if !w.closed.Load() || !w.reading.TryLock() {
		return
	}
	defer w.reading.Unlock()
	for _, fd := range w.own {
		unix.Close(fd)
	}
	w.own = nil
}

// ring wakes whoever waits, or the next who does.
func (w *waiter) ring() {
	_, _ = unix.Write(w.bell, []byte{1, 0, 0, 0, 0, 0, 0, 0}) // full is as good
}

// wait waits until fd, which may be -1, has one of the events, until somebody
// rings, or for limit, where that is not negative. The error is os.ErrClosed
// after Close.
func (w *waiter) wait(fd int, events int16, limit time.Duration) (got int16, err error) {
	timeout := -1
	if limit >= 0 {
		timeout = int(limit.Milliseconds())
	}
	fds := []unix.PollFd{{Fd: int32(fd), Events: events}, {Fd: int32(w.bell), Events: unix.POLLIN}}
	for {
		_, err = unix.Poll(fds, timeout)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return 0, os.NewSyscallError("poll", err)
	}
	if fds[1].Revents != 0 {
		var count [8]byte
		_, _ = unix.Read(w.bell, count[:])
	}
	if w.closed.Load() {
		return 0, os.ErrClosed
	}
	return fds[0].Revents, nil
}

// edges gives a descriptor that can be read each time when more has come to fd,
// also where what was there before has not been taken (epoll(7), EPOLLET).
type edges int

func (w *waiter) watchEdges(fd int) (edges, error) {
	e, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return -1, os.NewSyscallError("epoll_create1", err)
	}
	w.own = append(w.own, e)
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET}
	return edges(e), os.NewSyscallError("epoll_ctl", unix.EpollCtl(e, unix.EPOLL_CTL_ADD, fd, &event))
}

// waitEdge waits for more than there is.
func (w *waiter) waitEdge(e edges) error {
	if _, err := w.wait(int(e), unix.POLLIN, -1); err != nil {
		return err
	}
	_, err := unix.EpollWait(int(e), make([]unix.EpollEvent, 1), 0)
	if errors.Is(err, unix.EINTR) {
		err = nil
	}
	return os.NewSyscallError("epoll_wait", err)
}

// hungUp says whether nobody can write to fd any more.
func hungUp(fd int) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
	_, err := unix.Poll(fds, 0)
	return err == nil && fds[0].Revents&(unix.POLLHUP|unix.POLLRDHUP|unix.POLLERR) != 0
}
