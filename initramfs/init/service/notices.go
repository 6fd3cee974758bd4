package service

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/initramfs/init/notify"
)

// notices are what the command's present run has said by sd_notify.
type notices struct {
	mu    sync.Mutex
	ready chan struct{} // closed when it has said that it is ready
	text  string        // what it said last
}

// Hear has the service take what its command says of itself. It comes before Run.
func (s *Service) Hear(socket *notify.Socket) {
	s.notices.ready = make(chan struct{})
	socket.Serve(s.hear)
	s.BeforeEnd(socket.Drain)
}

// newNotices forgets what an earlier run has said.
func (s *Service) newNotices() {
	s.notices.mu.Lock()
	defer s.notices.mu.Unlock()
	s.notices.ready, s.notices.text = make(chan struct{}), ""
}

// hear shows what the command says. Until it has been ready once, that is all that
// its words can change: whoever waits for it waits for that, and then finds the words
// there that it has said with it.
func (s *Service) hear(n notify.Notice) {
	if n.Says {
		s.notices.mu.Lock()
		s.notices.text = n.Text
		s.notices.mu.Unlock()
	}
	s.board.Set(func(b *channel.Status) {
		if n.Says {
			b.Text = n.Text
		}
		b.State = after(b.State, n.Word)
	})
	if n.Ready {
		s.notices.isReady()
	}
}

// isReady notes that the command has said that it is ready.
func (n *notices) isReady() {
	n.mu.Lock()
	defer n.mu.Unlock()
	select {
	case <-n.ready:
	default:
		close(n.ready)
	}
}

// after is the state of a command that has been ready and says a word.
func after(state channel.State, word notify.Word) channel.State {
	if state != channel.Ready && state != channel.Reloading {
		return state
	}
	switch word {
	case notify.Ready:
		return channel.Ready
	case notify.Reloading:
		return channel.Reloading
	case notify.Stopping:
		return channel.Stopping
	}
	return state
}

// awaitNotice waits until the command has said that it is ready.
func (s *Service) awaitNotice(ctx context.Context, limit time.Duration) error {
	s.notices.mu.Lock()
	ready := s.notices.ready
	s.notices.mu.Unlock()
	select {
	case <-ready:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(limit):
	}
	s.notices.mu.Lock()
	defer s.notices.mu.Unlock()
	if s.notices.text != "" {
		return fmt.Errorf("not ready within %v: it has not said READY=1 to %s; its status is %q", limit, notify.Variable, s.notices.text)
	}
	return fmt.Errorf("not ready within %v: %w", limit, errNothingSaid)
}

var errNothingSaid = errors.New("it has said nothing to " + notify.Variable + ": not every service that can does so without an option or a setting of its own")
