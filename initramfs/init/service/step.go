package service

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/initramfs/init/proc"
)

// Step is a command that runs to its end beside the service, or before it.
type Step struct {
	Spec    proc.Spec
	Timeout time.Duration // then it is killed
}

// step runs one, its output going to the log. The error says how it ended, if not with
// 0, and what it wrote last.
func (s *Service) step(ctx context.Context, step Step) error {
	ctx, cancel := context.WithTimeoutCause(ctx, step.Timeout, fmt.Errorf("it took longer than %v", step.Timeout))
	defer cancel()
	var last tail
	run, err := s.start(step.Spec, last.add)
	if err != nil {
		return fmt.Errorf("it cannot start: %w", err)
	}
	var late error
	select {
	case <-run.process.Done():
	case <-ctx.Done():
		late = context.Cause(ctx)
		s.table.SignalGroup(run.process, killSignal)
	}
	exit := run.process.Exit()
	run.drain()
	switch {
	case late != nil:
		return fmt.Errorf("%w%s", late, last.text())
	case exit != proc.Success:
		return fmt.Errorf("it ended with %s%s", exit, last.text())
	}
	return nil
}

// prepare runs what comes before the command; an order ends it.
func (s *Service) prepare() (*order, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.prepareAll(ctx) }()
	select {
	case err := <-done:
		return nil, err
	case o := <-s.orders:
		cancel()
		<-done
		return &o, nil
	}
}

func (s *Service) prepareAll(ctx context.Context) error {
	for i, step := range s.steps {
		if err := s.step(ctx, step); err != nil {
			return fmt.Errorf("run.prepare[%d], %s: %w", i, step.Spec.Argv[0], err)
		}
		s.table.KillOrphans()
	}
	return nil
}

// Before has the steps run one after the other before each start of the command. It
// comes before Run.
func (s *Service) Before(steps []Step) { s.steps = steps }

// shownLines is how many of a step's last lines its error shows.
const shownLines = 3

// tail is the last that a step has written. Both of its outputs write to it.
type tail struct {
	mu    sync.Mutex
	lines []string
}

func (t *tail) add(line []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if text := strings.TrimSpace(string(line[:min(len(line), 256)])); text != "" {
		t.lines = append(t.lines[max(0, len(t.lines)-shownLines+1):], text)
	}
}

func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.lines) == 0 {
		return ", and wrote nothing"
	}
	return ": " + strings.Join(t.lines, " / ")
}

// preparationEnded notes that an order has ended the preparation of the command.
func (s *Service) preparationEnded(o *order) (again, ordered bool) {
	defer close(o.done)
	s.table.KillOrphans()
	s.board.Set(func(b *channel.Status) {
		if b.Failures, b.Killed = 0, false; !o.restart {
			b.State = channel.Ended
		}
	})
	return o.restart, o.restart
}
