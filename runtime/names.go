package runtime

import (
	"github.com/sbx-dev/sbx/runtime/fault"
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

// needLocal refuses another machine's libvirt, whose files and kernel cannot be
// looked at from here.
func (r *Runtime) needLocal(verb string) error {
	if r.drivers.Local() {
		return nil
	}
	return fault.New(diag.Elsewhere, "%s is another machine's libvirt, and its firewall and files are seen on that machine only: run sbx %s there", r.options.URI, verb)
}
