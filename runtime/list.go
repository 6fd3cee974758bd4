package runtime

import (
	"context"

	"github.com/sbx-dev/sbx/runtime/internal/listing"
)

// Sandbox is one sandbox as libvirt has it.
type Sandbox = listing.Sandbox

// Measurement is what changes of a sandbox from one moment to the next.
type Measurement = listing.Measurement

// List gives the sandboxes that sbx made, sorted by name. Where there is no
// libvirtd, or it does not let this user in, it gives those that run without one.
func (r *Runtime) List() ([]Sandbox, error) { return r.lister().List() }

// Measure fills in the measurements of those that run. A sandbox that ends
// meanwhile, or does not answer, keeps what is zero.
func (r *Runtime) Measure(ctx context.Context, list []Sandbox) { r.lister().Measure(ctx, list) }

func (r *Runtime) lister() *listing.Lister {
	return &listing.Lister{Folder: r.state(), Drivers: r.drivers, Named: r.options.URI != "", Log: r.options.Log, Dial: r.dial}
}
