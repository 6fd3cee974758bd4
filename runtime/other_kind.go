package runtime

import (
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// checkKind refuses a name that a sandbox of another kind has. libvirt would let
// both have it, since each of its drivers has names of its own; but the folder, the
// host ids, the addresses and the filters are derived from the name, and so are one.
func (r *Runtime) checkKind(name string, kind schema.Backend) error {
	for _, other := range Kinds() {
		if other == kind {
			continue
		}
		if _, err := r.uri(other); err != nil { // a connection was named that is one driver's alone
			continue
		}
		conn, err := r.connect(other)
		if noDriver(other, err) {
			continue
		}
		if err != nil {
			return err
		}
		dom, _, err := virt.LookupOwn(conn, name)
		if err := virt.UnlessForeign(err); dom == nil || err != nil {
			return err
		}
		dom.Free()
		return fault.New(diag.NameTaken, "%s: there is a sandbox of this name with the backend %s, and this one is for %s: sbx down %s first, or give it another name", name, other, kind, name)
	}
	return nil
}
