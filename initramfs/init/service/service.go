package service

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/initramfs/init/proc"
	"github.com/sbx-dev/sbx/initramfs/manifest"
)

const killSignal = syscall.SIGKILL

// The pause before a restart doubles from one failure to the next; a service
// that ran for long enough begins anew.
const (
	firstBackoff = 100 * time.Millisecond
	lastBackoff  = 30 * time.Second
	stable       = 10 * time.Second
)

// firstMoment is how long a service without a readiness probe must have run to
// count as started.
const firstMoment = 500 * time.Millisecond

// Service is the sandbox's own command.
type Service struct {
	table  *proc.Table
	spec   proc.Spec
	run    manifest.Run
	signal syscall.Signal
	log    *Log
	board  *Board
	steps  []Step  // before each start
	reload *Reload // nil where the profile says nothing of it
	orders chan order
	last   []func() // take in the rest of what has been said otherwise than on the command's output

	interfaces []manifest.Interface // at whose addresses it is reached

	reloading sync.Mutex // held while somebody waits for it

	notices notices
	present atomic.Pointer[proc.Process] // that runs now
}

// order is what somebody wants of the service; done is closed when it is so.
type order struct {
	restart bool
	done    chan struct{}
}

// New prepares the service that spec and run describe; stop is its stop signal.
func New(table *proc.Table, spec proc.Spec, run manifest.Run, stop syscall.Signal, log *Log, board *Board) *Service {
	return &Service{table: table, spec: spec, run: run, signal: stop, log: log, board: board, orders: make(chan order)}
}

// BeforeEnd has last called whenever the command has ended, before anybody is told. It
// comes before Run.
func (s *Service) BeforeEnd(last func()) { s.last = append(s.last, last) }

// Running is the command's process; nil while there is none.
func (s *Service) Running() *proc.Process { return s.present.Load() }

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
		if !ordered {
			if time.Since(began) > stable {
				backoff = firstBackoff
			}
			if again, ordered = s.pause(backoff); !again {
				return
			}
			backoff = min(2*backoff, lastBackoff)
		}
		if ordered { // by somebody who has mended it
			backoff = firstBackoff
		}
	}
}

// pause waits before a restart; an order cuts it short. It tells whether the
// command is to run again, and whether somebody ordered that.
func (s *Service) pause(d time.Duration) (again, ordered bool) {
	select {
	case <-time.After(d):
		return true, false
	case o := <-s.orders:
		defer close(o.done)
		s.board.Set(func(b *channel.Status) {
			b.Killed = false // by nobody who asks now
			if b.Failures, b.Message, b.Reason = 0, "", ""; !o.restart {
				b.State = channel.Ended
			}
		})
		return o.restart, o.restart
	}
}

// once runs the command one time. It tells whether it is to run again, and
// whether somebody ordered that.
func (s *Service) once() (again, ordered bool) {
	from, kills, began := s.log.Coming(), memoryKills(), time.Now()
	s.newNotices()
	s.starting(0, from)
	if order, err := s.prepare(); order != nil {
		return s.preparationEnded(order)
	} else if err != nil {
		return s.notStarted(err), false
	}
	run, err := s.start(s.spec)
	if err != nil {
		return s.notStarted(err), false
	}
	s.present.Store(run.process)
	defer s.present.Store(nil)
	s.starting(run.process.PID, from)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	broken, ready := make(chan error, 1), new(atomic.Bool)
	go func() { s.watch(ctx, broken, ready) }()

	var order *order
	message, killed := "", false
	select {
	case <-run.process.Done():
	case o := <-s.orders:
		order = &o
		killed = s.stop(run.process)
	case err := <-broken:
		message = err.Error()
		killed = s.stop(run.process)
	}
	cancel()
	exit := run.finish()
	for _, last := range s.last {
		last()
	}
	switch {
	case order != nil:
		again = order.restart
	case message != "":
		again = s.run.Restart != "never" && s.run.Restart != ""
	default:
		again = s.run.Restart == "always" || s.run.Restart == "on-failure" && exit != proc.Success
	}
	s.settle(again, func(b *channel.Status) {
		b.Exit, b.Message, b.Killed = &exit, message, killed
		b.Ran, b.OOM = time.Since(began).Milliseconds(), memoryKills() > kills
		b.Failures++
		if order != nil || ready.Load() {
			b.Failures = 0
		}
	})
	if order == nil {
		return again, false
	}
	close(order.done)
	return again, order.restart
}

// starting shows that the command starts, whose output begins with that record; it has no
// process yet as long as it is prepared.
func (s *Service) starting(pid int, from uint64) {
	s.board.Set(func(b *channel.Status) {
		b.State, b.PID, b.Output = channel.Starting, pid, from
		b.Message, b.Reason, b.OOM, b.Text = "", "", false, ""
	})
}

// notStarted shows why there is no command, and says whether to try again: a
// program may be away while somebody replaces it.
func (s *Service) notStarted(err error) (again bool) {
	reason := channel.ReasonFailed
	if failure := new(channel.Failure); errors.As(err, &failure) {
		reason = failure.Reason
	}
	again = s.run.Restart == "always" || s.run.Restart == "on-failure"
	s.settle(again, func(b *channel.Status) {
		b.Exit, b.Message, b.Reason, b.Killed = nil, err.Error(), reason, false
		b.Failures++
	})
	return again
}

// settle shows how the command ended and whether it starts again, all at once: whoever
// watches takes what it sees for the state of one end.
func (s *Service) settle(again bool, end func(*channel.Status)) {
	s.table.KillOrphans()
	s.board.Set(func(b *channel.Status) {
		b.State, b.PID = channel.Ended, 0
		if again {
			b.State = channel.Backoff
		}
		end(b)
	})
}

// watch shows when the service is ready, and sends why it is not or no longer
// fit to be used.
func (s *Service) watch(ctx context.Context, broken chan<- error, ready *atomic.Bool) {
	moment := time.After(firstMoment)
	s.awaitAddresses(ctx)
	if s.run.Ready != nil {
		if err := s.awaitReady(ctx, s.run.Ready); err != nil {
			broken <- err
			return
		}
	} else {
		select {
		case <-moment:
		case <-ctx.Done():
		}
	}
	s.board.Set(func(b *channel.Status) {
		if b.State == channel.Starting && ctx.Err() == nil {
			b.State, b.Failures = channel.Ready, 0
			ready.Store(true)
		}
	})
	if s.run.Health != nil {
		if err := s.awaitBroken(ctx, s.run.Health); err != nil {
			broken <- err
		}
	}
}

// stop asks the command to end, and makes it end when its time is over, which it tells.
func (s *Service) stop(p *proc.Process) (killed bool) {
	s.board.Set(func(b *channel.Status) { b.State = channel.Stopping })
	s.table.Signal(p, s.signal)
	select {
	case <-p.Done():
		return false
	case <-time.After(time.Duration(s.run.StopTimeout) * time.Millisecond):
		s.table.SignalGroup(p, killSignal)
		return true
	}
}
