package service

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/initramfs/init/proc"
	"github.com/sbx-dev/sbx/initramfs/manifest"
)

// Reload is how the service is asked to read its configuration anew.
type Reload struct {
	Signal syscall.Signal // where there is no Step
	Step   *Step
	Limit  time.Duration // for all of it
}

// ReloadBy has Reload ask the service in this way. It comes before Run.
func (s *Service) ReloadBy(r *Reload) { s.reload = r }

// Reload asks the service to read its configuration anew, and waits until it answers its
// readiness probe again, or says by sd_notify that it has done so; a service with
// neither has a moment to end because of it. The error says what went wrong.
func (s *Service) Reload(ctx context.Context) error {
	if s.reload == nil {
		return &channel.Failure{Reason: channel.ReasonUnsupported, Message: "its profile does not say how, by run.reload: sbx kill sends its command a signal, and sbx restart starts it anew"}
	}
	s.reloading.Lock()
	defer s.reloading.Unlock()
	p := s.Running()
	if p == nil {
		return &channel.Failure{Reason: channel.ReasonRefused, Message: "its command does not run now: sbx ps shows its state"}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.reload.Limit, fmt.Errorf("it took longer than %v", s.reload.Limit))
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-p.Done():
			cancel()
		case <-ctx.Done():
		}
	}()
	err := s.reloaded(ctx, p)
	cancel()
	<-ended
	select {
	case <-p.Done():
		return failed("its command ended by it, with %s", p.Exit())
	default:
	}
	if err != nil {
		return failed("%v", err)
	}
	return nil
}

func (s *Service) reloaded(ctx context.Context, p *proc.Process) error {
	if step := s.reload.Step; step != nil {
		if err := s.step(ctx, *step); err != nil {
			return fmt.Errorf("%s: %w", step.Spec.Argv[0], err)
		}
	} else {
		s.table.Signal(p, s.reload.Signal)
	}
	select { // for what it makes of it, or says: it answers as before until then
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(firstMoment):
	}
	if ready := s.run.Ready; ready != nil && !ready.Notify {
		again := manifest.Ready{Probe: ready.Probe, Timeout: s.reload.Limit.Milliseconds()}
		return s.awaitReady(ctx, &again)
	}
	return s.awaitReloaded(ctx)
}

// awaitReloaded waits as long as the service says that it reads its configuration.
func (s *Service) awaitReloaded(ctx context.Context) error {
	for {
		status, changed := s.board.Status()
		if status.State != channel.Reloading {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%w: it has not said READY=1 since it said RELOADING=1", context.Cause(ctx))
		}
	}
}

func failed(format string, args ...any) error {
	return &channel.Failure{Reason: channel.ReasonFailed, Message: fmt.Sprintf(format, args...)}
}
