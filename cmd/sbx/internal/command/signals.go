package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/initramfs/channel"
)

// signalPatience is how long a signal waits for a command to be there; when it
// is over, the signal is for sbx.
const signalPatience = 200 * time.Millisecond

// watch passes signals and new window sizes on to the command until ctx ends. A
// signal that no command is there to take ends the session.
func (t *terminal) watch(ctx context.Context, a *verb.App, end context.CancelCauseFunc) {
	signal.Ignore(syscall.SIGPIPE) // a reader that leaves is the command's matter
	caught := make(chan os.Signal, 8)
	signal.Notify(caught, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH)
	signals := make(chan syscall.Signal)
	sizes := make(chan channel.Size)
	t.stdio.Signals, t.stdio.Resize = signals, sizes
	in, _ := a.Stdin.(*os.File)
	tty := t.size != nil && in != nil
	go func() {
		defer signal.Stop(caught)
		leaving := false
		for {
			select {
			case <-ctx.Done():
				return
			case s := <-caught:
				switch {
				case s != syscall.SIGWINCH:
					pass(signals, s.(syscall.Signal), end)
				case tty:
					offer(sizes, *windowSize(in))
				}
				if s == syscall.SIGTERM && !leaving {
					leaving = true
					go leaveUnread(ctx, a, end)
				}
			}
		}
	}()
}

func pass(to chan<- syscall.Signal, s syscall.Signal, end context.CancelCauseFunc) {
	if !offer(to, s) {
		end(fmt.Errorf("interrupted by %v", s))
	}
}

// offer sends v if somebody takes it in good time.
func offer[T any](to chan<- T, v T) bool {
	select {
	case to <- v:
		return true
	case <-time.After(signalPatience):
		return false
	}
}

// unreadTime is how long, once sbx was told to end, nobody may read what its command has
// written.
const unreadTime = 3 * time.Second

var errUnread = errors.New("the command was ended: after SIGTERM, nobody has read its output for three seconds")

// leaveUnread ends a session that was told to end, once nobody reads its output any more:
// what the command has written would be waited for without end. Who reads gets all of it.
func leaveUnread(ctx context.Context, a *verb.App, end context.CancelCauseFunc) {
	if verb.Unread(ctx, unreadTime, a.Stdout, a.Stderr) {
		end(errUnread)
	}
}
