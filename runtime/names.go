package runtime

import (
	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// checkName refuses what no sandbox is called. Names become names of files in the
// state folder, where "../x" or ".all" would be another's.
func checkName(name string) error {
	if schema.IsName(name) {
		return nil
	}
	return fault.New(diag.NoSandbox, "%q is no name of a sandbox: sbx ps lists what there is", name)
}

// checkKind refuses a name that a sandbox of another kind has. libvirt would let
// both have it, since each of its drivers has names of its own; but the folder, the
// host ids, the addresses and the filters are derived from the name, and so are one.
func (r *Runtime) checkKind(name string, kind schema.Backend) error {
	return r.drivers.EachKind(func(conn *libvirt.Connect, other schema.Backend) (bool, error) {
		if other == kind {
			return true, nil
		}
		dom, _, err := virt.LookupOwn(conn, name)
		if err := virt.UnlessForeign(err); dom == nil || err != nil {
			return true, err
		}
		dom.Free()
		return false, fault.New(diag.NameTaken, "%s: there is a sandbox of this name with the backend %s, and this one is for %s: sbx down %s first, or give it another name", name, other, kind, name)
	})
}
