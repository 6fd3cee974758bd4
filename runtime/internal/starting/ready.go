package starting

import (
	"context"
	"errors"
	"fmt"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/runtime/internal/keep"
	"github.com/sbx-dev/sbx/runtime/internal/startfail"
	"github.com/sbx-dev/sbx/schema"
)

// readyMargin is what a service may take beyond its profile's time: that begins
// when its process has started and the sandbox's addresses hold, which takes a
// busy host longer.
const readyMargin = 30 * time.Second

// loopEnds is how often in a row a command may end before it is ready until
// nobody waits for it any longer. systemd gives up after as many by default
// (StartLimitBurst= in systemd-system.conf(5)).
const loopEnds = 5

// Start is the start of a sandbox's command, which somebody waits for.
type Start struct {
	Limit time.Duration // for one whose profile gives none
	Conn  *libvirt.Connect
	Name  string
	Kind  schema.Backend
	Run   *manifest.Run  // nil, where it is not known
	Kills uint64         // memoryKills before
	Last  channel.Status // what wait has seen last
}

// Wait waits until the sandbox says that its service is ready: for the time that
// its profile gives it, however often it is started in that time, and no longer
// than it can still succeed.
func (s *Start) Wait(ctx context.Context, client *channel.Client) error {
	limit := s.Limit
	if s.Run != nil && s.Run.Ready != nil {
		limit = time.Duration(s.Run.Ready.Timeout)*time.Millisecond + readyMargin
	}
	limit += s.preparation()
	tooLong := fmt.Errorf("it was not ready within %v", limit)
	bounded, cancel := context.WithTimeoutCause(ctx, limit, tooLong)
	defer cancel()
	var failed *startfail.StartFailure
	err := client.Watch(bounded, func(now channel.Status) bool {
		s.Last = now
		if way := failing(now); way != "" {
			failed = s.failure(way, now)
			failed.Records = keep.LatestOutput(client) // as long as its first process stays for us
			return false
		}
		return now.State != channel.Ready
	})
	switch {
	case failed != nil:
		return failed
	case err == nil && s.Last.State == channel.Ready:
		return nil
	case errors.Is(err, tooLong):
		failed = s.failure(startfail.NotReady, s.Last)
		failed.Records = keep.LatestOutput(client)
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", s.Name, err)
	default:
		failed = s.failure(startfail.Lost, s.Last)
	}
	failed.Err = err
	return failed
}

// preparation is how long what comes before the command may take.
func (s *Start) preparation() (most time.Duration) {
	if s.Run == nil {
		return 0
	}
	for _, step := range s.Run.Prepare {
		most += time.Duration(step.Timeout) * time.Millisecond
	}
	return most
}

// failing is the way in which the start has failed; empty as long as it may
// succeed.
func failing(s channel.Status) startfail.Way {
	over := s.State == channel.Ended || s.State == channel.Backoff
	switch {
	case over && s.Exit == nil && s.Message != "":
		return startfail.NotStarted
	case over && s.Message != "" && s.Failures > 0:
		return startfail.NotReady
	case s.State == channel.Ended:
		return startfail.EndedEarly
	case s.State != channel.Ready && s.Failures >= loopEnds:
		return startfail.Looping
	}
	return ""
}

// failure is the StartFailure of the start.
func (s *Start) failure(way startfail.Way, status channel.Status) *startfail.StartFailure {
	f := &startfail.StartFailure{Name: s.Name, Way: way, Status: status}
	if s.Run != nil {
		f.Argv = s.Run.Argv
	}
	if status.OOM || s.MemoryKills() > s.Kills {
		f.Memory = s.memory()
	}
	return f
}
