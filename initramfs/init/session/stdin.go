package session

import (
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/initramfs/channel"
)

const (
	// stdinPiece is how much is written before the host is told again.
	stdinPiece = 32 << 10
	// smallPipe is what a command's pipe holds whose host sends no more before
	// it is read, since the host's own pipe is full: less than a usual one of
	// 64 KiB, so that there is a next piece, whose writing the command's reading
	// wakes.
	smallPipe = 32 << 10
	// firstLook and longestLook bound the time after which a pipe that was not
	// empty is looked at again where there is no next piece: the kernel wakes
	// nobody then.
	firstLook   = time.Millisecond
	longestLook = 256 * time.Millisecond
)

// stdin feeds a command its standard input and tells the host how much of it the
// command has read.
type stdin struct {
	stream *channel.Stream
	to     *os.File                   // nil: the command reads /dev/null
	pipe   int                        // the command's end, for looking into; -1 for a terminal, which takes what is written
	eof    func(stop <-chan struct{}) // ends the command's input; may take until stop

	mu      sync.Mutex
	ring    []byte // of the size of the window; nil until something comes
	queued  uint64 // into the ring, in all
	written uint64 // out of it and into the pipe, in all
	told    uint64 // what the host knows that the command has read
	ended   bool   // no more comes
	more    chan struct{}

	stop chan struct{} // closed by finish
	done chan struct{} // closed when run has ended
}

func newStdin(e *ends, stream *channel.Stream) *stdin {
	return &stdin{stream: stream, to: e.stdin, pipe: e.unread, eof: e.endInput, more: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
}

// add queues what the host has sent, and says whether it may have sent so much.
func (s *stdin) add(data []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || s.queued+uint64(len(data))-s.told > channel.StdinWindow {
		return false
	}
	if s.ring == nil {
		s.ring = make([]byte, channel.StdinWindow)
	}
	n := copy(s.ring[s.queued%channel.StdinWindow:], data)
	copy(s.ring, data[n:])
	s.queued += uint64(len(data))
	s.wake()
	return true
}

// end says that no more comes.
func (s *stdin) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.wake()
}

func (s *stdin) wake() {
	select {
	case s.more <- struct{}{}:
	default:
	}
}

// next gives a piece of what is queued; last says that nothing follows.
func (s *stdin) next() (data []byte, last bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := s.queued - s.written
	at := s.written % channel.StdinWindow
	n := min(left, stdinPiece, channel.StdinWindow-at)
	return s.ring[at:][:n], s.ended && n == left
}

// run feeds the command until the host has no more or the session ends.
func (s *stdin) run() {
	defer close(s.done)
	look := firstLook
	for {
		data, last := s.next()
		err := s.write(data)
		unread := s.tell()
		switch {
		case err != nil:
			return
		case last:
			s.eof(s.stop)
			return
		case len(data) > 0:
			look = firstLook
			continue
		}
		var again <-chan time.Time
		if unread > 0 {
			_, _ = unix.FcntlInt(uintptr(s.pipe), unix.F_SETPIPE_SZ, smallPipe) // too full now, perhaps
			again = time.After(look)
			look = min(2*look, longestLook)
		}
		select {
		case <-s.more:
		case <-again:
		case <-s.stop:
			return
		}
	}
}

func (s *stdin) write(data []byte) (err error) {
	n := len(data)
	if s.to != nil && n > 0 {
		n, err = s.to.Write(data)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written += uint64(n)
	return err
}

// tell tells the host how much the command has read, if that is news, and says
// how much it has not.
func (s *stdin) tell() (unread uint64) {
	if s.pipe >= 0 {
		if n, err := unix.IoctlGetInt(s.pipe, unix.TIOCINQ); err == nil {
			unread = uint64(n)
		}
	}
	s.mu.Lock()
	taken := s.written - min(unread, s.written) // a command may write into its own pipe
	news := taken > s.told
	if news {
		s.told = taken
	}
	s.mu.Unlock()
	if news {
		_ = s.stream.SendTaken(taken) // a lost host shows in receive
	}
	return unread
}

// finish ends the feeding and tells the host the last of it.
func (s *stdin) finish() {
	close(s.stop)
	if s.to != nil {
		s.to.Close() // ends a write that waits
	}
	<-s.done
	s.tell()
}
