package runtime

import (
	"github.com/sbx-dev/sbx/runtime/internal/drivers"
	"github.com/sbx-dev/sbx/schema"
)

// Warm connects to the libvirtd that Run will use for the backend, if any, in the
// background, so that the connection is there when it is needed. What fails is
// tried again then, and said then.
func (r *Runtime) Warm(backend schema.Backend) { r.drivers.Warm(backend) }

// Daemon is what runs sandboxes of the backend here: libvirtd, or the daemon of its
// driver alone where libvirt comes with one for each.
func Daemon(kind schema.Backend) string { return drivers.Daemon(kind) }

// NeedRoot is why this user cannot work on sandboxes of the backend; nil where that is
// not known before it is tried.
func (r *Runtime) NeedRoot(backend schema.Backend) error { return r.drivers.NeedRoot(backend) }
