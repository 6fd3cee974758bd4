package runtime

import (
	"github.com/sbx-dev/sbx/runtime/internal/addresses"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
)

// AddressTaken is the error of a sandbox with an address that another one has.
type AddressTaken = addresses.Taken

// checkAddresses refuses a sandbox with an address that somebody else has, of whichever kind.
func (r *Runtime) checkAddresses(s *bound.Sandbox) error {
	return addresses.Check(r.drivers.EachDriver, []*bound.Sandbox{s}, func(string) bool { return true })
}
