package service

import (
	"context"
	"syscall"
	"time"

	"github.com/sbx-dev/sbx/initramfs"
	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/initramfs/init/proc"
)

const killSignal = syscall.SIGKILL

// The pause before a restart doubles from one failure to the next; a service
// that ran for long enough begins anew.
const (
	firstBackoff = 100 * time.Millisecond
	lastBackoff  = 30 * time.Second
	stable       = 10 * time.Second
)

// Service is the sandbox's own command.
type Service struct {
	table  *proc.Table
	spec   proc.Spec
	run    initramfs.Run
	signal syscall.Signal
	log    *Log
	board  *Board
	orders chan order
}

// order is what somebody wants of the service; done is closed when it is so.
type order struct {
	restart bool
	done    chan struct{}
}

// New prepares the service that spec and run describe; stop is its stop signal.
func New(table *proc.Table, spec proc.Spec, run initramfs.Run, stop syscall.Signal, log *Log, board *Board) *Service {
	return &Service{table: table, spec: spec, run: run, signal: stop, log: log, board: board, orders: make(chan order)}
}

// Stop ends the service for good and returns when it has ended.
func (s *Service) Stop(ctx context.Context) error { return s.order(ctx, false) }

// Restart ends the service and starts it again; it returns when it has ended.
func (s *Service) Restart(ctx context.Context) error { return s.order(ctx, true) }

func (s *Service) order(ctx context.Context, restart bool) error {
	o := order{restart, make(chan struct{})}
	select {
	case s.orders <- o:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-o.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Run runs the service until it has ended for good.
func (s *Service) Run() {
	defer s.log.End()
	backoff := firstBackoff
	for {
		began := time.Now()
		again, ordered := s.once()
		if !again {
			return
		}
		s.board.Set(func(b *channel.Status) { b.Restarts++ })
		if ordered {
			continue
		}
		if time.Since(began) > stable {
			backoff = firstBackoff
		}
		if !s.pause(backoff) {
			return
		}
		backoff = min(2*backoff, lastBackoff)
	}
}

// pause waits before a restart; an order to restart cuts it short, and one to
// stop makes it false.
func (s *Service) pause(d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case o := <-s.orders:
		defer close(o.done)
		if !o.restart {
			s.board.Set(func(b *channel.Status) { b.State = channel.Ended })
		}
		return o.restart
	}
}

// once runs the command one time. It tells whether it is to run again, and
// whether somebody ordered that.
func (s *Service) once() (again, ordered bool) {
	run, err := s.start()
	if err != nil {
		return s.settle(nil, err.Error(), s.run.Restart == "always" || s.run.Restart == "on-failure"), false
	}
	s.board.Set(func(b *channel.Status) { b.State, b.PID, b.Message = channel.Starting, run.process.PID, "" })
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	broken := make(chan error, 1)
	go func() { s.watch(ctx, broken) }()

	var order *order
	message := ""
	select {
	case <-run.process.Done():
	case o := <-s.orders:
		order = &o
		s.stop(run.process)
	case err := <-broken:
		message = err.Error()
		s.stop(run.process)
	}
	cancel()
	exit := run.finish()
	switch {
	case order != nil:
		again = s.settle(&exit, "", order.restart)
		close(order.done)
		return again, order.restart
	case message != "":
		return s.settle(&exit, message, s.run.Restart != "never" && s.run.Restart != ""), false
	}
	failed := exit != proc.Success
	return s.settle(&exit, "", s.run.Restart == "always" || s.run.Restart == "on-failure" && failed), false
}

// settle shows how the command ended and whether it starts again.
func (s *Service) settle(exit *channel.Exit, message string, again bool) bool {
	s.table.KillOrphans()
	s.board.Set(func(b *channel.Status) {
		b.State, b.PID, b.Exit, b.Message = channel.Ended, 0, exit, message
		if again {
			b.State = channel.Backoff
		}
	})
	return again
}

// watch shows when the service is ready, and sends why it is not or no longer
// fit to be used.
func (s *Service) watch(ctx context.Context, broken chan<- error) {
	awaitAddresses(ctx)
	if s.run.Ready != nil {
		if err := s.awaitReady(ctx, s.run.Ready); err != nil {
			broken <- err
			return
		}
	}
	s.board.Set(func(b *channel.Status) {
		if b.State == channel.Starting && ctx.Err() == nil {
			b.State = channel.Ready
		}
	})
	if s.run.Health != nil {
		if err := s.awaitBroken(ctx, s.run.Health); err != nil {
			broken <- err
		}
	}
}

// stop asks the command to end, and makes it end when its time is over.
func (s *Service) stop(p *proc.Process) {
	s.board.Set(func(b *channel.Status) { b.State = channel.Stopping })
	s.table.Signal(p, s.signal)
	select {
	case <-p.Done():
	case <-time.After(time.Duration(s.run.StopTimeout) * time.Millisecond):
		s.table.SignalGroup(p, killSignal)
	}
}
