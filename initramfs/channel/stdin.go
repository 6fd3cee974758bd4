package channel

import (
	"encoding/binary"
	"errors"
	"io"
	"sync"
)

// Taker is a standard input that is told how much of what it gave the command
// has read, so that it can leave the rest to whoever reads it next.
type Taker interface {
	io.Reader
	// Take says that the command has read the next n bytes. It is called for
	// the last time before Exec or Run return, and may be while Read waits.
	Take(n int)
}

// stdin is a session's standard input on the host.
type stdin struct {
	from io.Reader

	mu          sync.Mutex
	sent, taken uint64
	moved       chan struct{} // holds one when taken has grown
}

func newStdin(from io.Reader) *stdin {
	return &stdin{from: from, moved: make(chan struct{}, 1)}
}

// sendStdin copies standard input, no further ahead of the command than
// StdinWindow. It may outlive the session for as long as a read of it lasts.
func (s *stream) sendStdin(in *stdin, ended <-chan struct{}) {
	buf := make([]byte, chunk)
	for {
		room := in.await(ended)
		if room == 0 {
			return
		}
		n, err := in.from.Read(buf[:min(room, chunk)])
		if n > 0 {
			in.count(n)
			if writeFrame(s, KindStdin, buf[:n]) != nil {
				return
			}
		}
		if err != nil {
			_ = writeFrame(s, KindStdinEOF, nil) // receive finds a lost channel
			return
		}
	}
}

// await waits until there is room for more and tells for how much; none when
// the session has ended.
func (i *stdin) await(ended <-chan struct{}) int {
	for {
		i.mu.Lock()
		room := StdinWindow - int(i.sent-i.taken)
		i.mu.Unlock()
		select {
		case <-ended:
			return 0
		default:
		}
		if room > 0 {
			return room
		}
		select {
		case <-i.moved:
		case <-ended:
			return 0
		}
	}
}

// count adds to what was sent, before it is: the guest may be faster.
func (i *stdin) count(n int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.sent += uint64(n)
}

// take notes what the guest says of how much the command has read.
func (i *stdin) take(payload []byte) error {
	if len(payload) != 8 {
		return errTaken
	}
	total := binary.BigEndian.Uint64(payload)
	i.mu.Lock()
	defer i.mu.Unlock()
	if total < i.taken || total > i.sent {
		return errTaken
	}
	if to, ok := i.from.(Taker); ok && total > i.taken {
		to.Take(int(total - i.taken))
	}
	i.taken = total
	select {
	case i.moved <- struct{}{}:
	default:
	}
	return nil
}

var errTaken = errors.New("the guest took more standard input than it was sent")
