package agent

import (
	"context"
	"errors"

	"github.com/sbx-dev/sbx/initramfs/channel"
)

// watching is a context that ends when the host closes the stream or is lost.
func watching(s *channel.Stream) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		for {
			if _, err := s.Receive(); err != nil {
				return
			}
		}
	}()
	return ctx, cancel
}

// showStatus sends the state at every change, until the command has ended.
func (a *Agent) showStatus(s *channel.Stream) {
	ctx, cancel := watching(s)
	defer cancel()
	for {
		status, changed := a.board.Status()
		if s.SendJSON(channel.KindStatus, status) != nil {
			return
		}
		if status.State == channel.Ended {
			_ = s.Send(channel.KindDone, nil)
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
		return
	}
	_ = s.Send(channel.KindDone, nil)
}

// fail tells the host why it does not get what it asked for.
func fail(s *channel.Stream, err error) {
	failure := &channel.Failure{Reason: channel.ReasonFailed, Message: err.Error()}
	errors.As(err, &failure)
	_ = s.Fail(failure.Reason, failure.Message)
}
