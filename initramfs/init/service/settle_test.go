package service

import (
	"errors"
	"syscall"
	"testing"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/initramfs/init/proc"
	"github.com/sbx-dev/sbx/initramfs/manifest"
)

// Whoever watches sees an end with all that is told of it, or none of it: a count of
// failures beside the exit status of the end before was taken for what had happened.
func TestAnEndIsShownAtOnce(t *testing.T) {
	board := NewBoard(channel.Starting)
	s := New(proc.NewTable(), proc.Spec{}, manifest.Run{Restart: "always"}, syscall.SIGTERM, nil, board)
	over, half := make(chan struct{}), make(chan channel.Status, 1)
	go func() {
		defer close(half)
		for {
			now, changed := board.Status()
			if now.State == channel.Starting && now.Reason != "" {
				half <- now
				return
			}
			select {
			case <-changed:
			case <-over:
				return
			}
		}
	}()
	for range 20 { // each takes a look at all processes
		board.Set(func(b *channel.Status) { b.State, b.Message, b.Reason = channel.Starting, "", "" })
		s.notStarted(errors.New("not there"))
	}
	close(over)
	if now, seen := <-half; seen {
		t.Errorf("half an end was shown: %+v", now)
	}
}
