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
	var gone time.Time // since when its process is
	for {
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
		case <-time.After(5 * time.Millisecond):
		}
	}
}
