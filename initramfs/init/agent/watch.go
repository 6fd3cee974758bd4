package agent

import (
	"context"
	"errors"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/initramfs/init/network"
)

// watching is a context that ends when the host closes the stream, which it does
// once it has the answer, or is lost. A request lasts until then, so that the
// sandbox does not end, and its channel with it, before the host knows why.
func watching(s *channel.Stream) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		awaitHost(s)
	}()
	return ctx, cancel
}

// awaitHost waits until the host has closed the stream or is lost.
func awaitHost(s *channel.Stream) {
	for {
		if _, err := s.Receive(); err != nil {
			return
		}
	}
}

// showStatus sends the state at every change, until the command has ended.
func (a *Agent) showStatus(s *channel.Stream) {
	ctx, cancel := watching(s)
	defer cancel()
	for {
		status, changed := a.board.Status()
		status.Leases = network.Leased(a.manifest.Interfaces)
		if s.SendStatus(status) != nil {
			return
		}
		if status.State == channel.Ended {
			if s.Send(channel.KindDone, nil) == nil {
				a.tell()
			}
			<-ctx.Done()
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// sendOutput sends the service's output.
func (a *Agent) sendOutput(r channel.Request, s *channel.Stream) {
	ctx, cancel := watching(s)
	defer cancel()
	for from := r.From; ; {
		record, ok, ended, changed := a.log.Next(from)
		switch {
		case ok:
			if s.SendRecord(record) != nil {
				return
			}
			from = record.Number + 1
		case ended, !r.Follow:
			_ = s.Send(channel.KindDone, nil)
			<-ctx.Done()
			return
		default:
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}
}

// answer does something for the host and tells it how that went.
func answer(s *channel.Stream, do func(context.Context) error) {
	ctx, cancel := watching(s)
	defer cancel()
	if err := do(ctx); err != nil {
		fail(s, err)
	} else {
		_ = s.Send(channel.KindDone, nil)
	}
	<-ctx.Done()
}

// fail tells the host why it does not get what it asked for.
func fail(s *channel.Stream, err error) {
	failure := &channel.Failure{Reason: channel.ReasonFailed, Message: err.Error()}
	errors.As(err, &failure)
	_ = s.Fail(failure.Reason, failure.Message)
}
