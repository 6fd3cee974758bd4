package service

import (
	"context"
	"fmt"
	"time"

	"github.com/sbx-dev/sbx/initramfs/manifest"
)

// The pace of readiness probes. The first ones come quickly, since many
// services need only a moment.
const (
	firstPause = 5 * time.Millisecond
	lastPause  = 500 * time.Millisecond
)

// awaitReady probes until the service answers. The error says why it did not,
// by the last probe. A profile that gives its service more time gives each probe
// more, which take longer on the same machine; one that is not answered leaves
// time for others.
func (s *Service) awaitReady(ctx context.Context, r *manifest.Ready) error {
	limit := time.Duration(r.Timeout) * time.Millisecond
	if r.Notify {
		return s.awaitNotice(ctx, limit)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var last error // of a probe that the end has not cut short
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		err := s.probe(ctx, &r.Probe, limit/4)
		if err == nil {
			return nil
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not ready within %v: %w", limit, last)
		case <-time.After(pause):
		}
	}
}

// awaitBroken probes a started service until it fails so many times in a row
// that it counts as broken; the error says how it failed last. It is nil when ctx
// ends first.
func (s *Service) awaitBroken(ctx context.Context, h *manifest.Health) error {
	pause := time.Duration(h.Every) * time.Millisecond
	every := time.NewTicker(pause)
	defer every.Stop()
	for failures := 0; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
		}
		err := s.probe(ctx, &h.Probe, pause)
		if err == nil {
			failures = 0
			continue
		}
		if failures++; failures >= h.Failures && ctx.Err() == nil {
			return fmt.Errorf("unhealthy, %d probes in a row: %w", failures, err)
		}
	}
}
