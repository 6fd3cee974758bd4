package virt

import (
	"context"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/runtime/internal/proc"
)

// unseenLimit is how long libvirt may take to see that a sandbox's process is gone. Now
// and then it never does (9.0, with containers), until it is told to end it.
const unseenLimit = 2 * time.Second

// AwaitStop waits until a domain that was asked to stop has: libvirt says so, or end,
// which is its process's, came and libvirt does not see it. That ctx ends is no error.
func AwaitStop(ctx context.Context, dom *libvirt.Domain, end proc.End) error {
	var gone time.Time                                                                       // since when its process is
	for pause := 5 * time.Millisecond; ; pause = min(pause+pause/50, 500*time.Millisecond) { // a job may take hours
		active, err := IsActive(dom)
		if !active || err != nil || ctx.Err() != nil {
			return err
		}
		if gone.IsZero() && end.Came() {
			gone = time.Now()
		}
		if !gone.IsZero() && time.Since(gone) > unseenLimit {
			return nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// AwaitGone says whether a domain is one of sbx run's, and gone within the limit. One that
// stays when it ends, or that sbx did not make, is not waited for.
func AwaitGone(ctx context.Context, limit time.Duration, dom *libvirt.Domain, end proc.End) (gone bool, err error) {
	m, err := Metadata(dom)
	if IsGone(err) {
		return true, nil
	}
	if m == nil || err != nil {
		return false, err
	}
	if persistent, err := IsPersistent(dom); persistent || err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := AwaitStop(ctx, dom, end); err != nil {
		return false, err
	}
	if end.Came() { // libvirt has not seen it
		return true, Stop(dom)
	}
	active, err := IsActive(dom)
	return !active && err == nil, err
}
