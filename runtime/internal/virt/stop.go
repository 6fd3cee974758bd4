package virt

import (
	"context"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/runtime/internal/proc"
)

// unseenLimit is how long libvirt may take to see that a sandbox's process is gone. Most
// often it knows by then. Now and then it never does (9.0, with containers), until it is told
// to end it: where the process's last word comes a moment before the end of the connection,
// it reads both at once, and takes the end for an error that it need not look at again
// (virNetClientIncomingEvent in virnetclient.c).
const unseenLimit = 200 * time.Millisecond

// AwaitStop waits until a domain that was asked to stop has: its process's end came and
// libvirt says so, too, or does not see it. That ctx ends is no error.
func AwaitStop(ctx context.Context, dom *libvirt.Domain, end proc.End) error {
	if end.Watched() {
		end.Await(ctx)
		seen, cancel := context.WithTimeout(ctx, unseenLimit)
		defer cancel()
		ctx = seen
	}
	for pause := time.Millisecond; ; pause = min(pause+pause/8, 500*time.Millisecond) { // a job may take hours
		active, err := IsActive(dom)
		if !active || err != nil || ctx.Err() != nil {
			return err
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
