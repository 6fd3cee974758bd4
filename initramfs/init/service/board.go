package service

import (
	"sync"
	"time"

	"github.com/sbx-dev/sbx/initramfs/channel"
)

// Board shows the present state to whoever wants to know it.
type Board struct {
	mu      sync.Mutex
	status  channel.Status
	changed chan struct{} // closed at the next change
}

// NewBoard shows the state.
func NewBoard(state channel.State) *Board {
	return &Board{
		status:  channel.Status{State: state, Since: time.Now()},
		changed: make(chan struct{}),
	}
}

// Status tells the present state, and gives a channel that is closed when it
// changes.
func (b *Board) Status() (channel.Status, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.status, b.changed
}

// Set changes the state. Once it is Ended it stays so.
func (b *Board) Set(change func(*channel.Status)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.status.State == channel.Ended {
		return
	}
	before := b.status.State
	change(&b.status)
	if b.status.State != before {
		b.status.Since = time.Now()
	}
	close(b.changed)
	b.changed = make(chan struct{})
}
