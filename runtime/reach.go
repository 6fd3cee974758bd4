package runtime

import (
	"path/filepath"
	"slices"

	"github.com/sbx-dev/sbx/runtime/internal/known"
	"github.com/sbx-dev/sbx/schema"
)

// Reach connects to the libvirt that runs sandboxes of the backend, and tells
// its URI.
func (r *Runtime) Reach(backend schema.Backend) (uri string, err error) {
	if uri, err = r.drivers.URI(backend); err != nil {
		return "", err
	}
	_, err = r.drivers.Connect(backend)
	return uri, err
}

// MayEmbed says whether sbx run goes on without a libvirtd that cannot be
// reached: by libvirt's embedded driver, unless a connection was named.
func (r *Runtime) MayEmbed() bool { return r.options.URI == "" }

// HasDriver says whether libvirt's QEMU driver is there to be embedded, as far as
// the folders below root that distributions have for drivers tell.
func HasDriver(root string) bool {
	known := false
	for _, place := range []string{"usr/lib/*/libvirt", "usr/lib/libvirt", "usr/lib64/libvirt"} {
		found, err := filepath.Glob(filepath.Join(root, place, "connection-driver/*.so"))
		if err != nil {
			return true
		}
		known = known || len(found) > 0
		if slices.ContainsFunc(found, func(f string) bool { return filepath.Base(f) == "libvirt_driver_qemu.so" }) {
			return true
		}
	}
	return !known
}

// CheckState says what keeps sandboxes of the backend from using the state folder;
// nil where it is as it should be, or can be made so. It changes nothing.
func (r *Runtime) CheckState(backend schema.Backend) (folder string, err error) {
	k, err := known.Named(backend)
	if err != nil {
		return r.options.StateDir, err
	}
	return r.options.StateDir, r.state().Check(k.State...)
}

// InitPath is the sbx-init that sandboxes of an architecture get; "" is this host's.
func (r *Runtime) InitPath(of string) (string, error) {
	return r.host.Inits.Path(of)
}
