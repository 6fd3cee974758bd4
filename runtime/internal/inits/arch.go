package inits

import (
	"github.com/sbx-dev/sbx/internal/arch"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema/diag"
)

// ArchOf finds an architecture by name; "" is this host's.
func ArchOf(name string) (a arch.Arch, err error) {
	if name == "" {
		a, err = arch.Host()
	} else {
		a, err = arch.Named(name)
	}
	return a, fault.Because(diag.OtherArch, err)
}
