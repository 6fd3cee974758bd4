package runtime

import (
	"errors"
	"slices"

	"github.com/sbx-dev/sbx/runtime/internal/addresses"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
)

// AddressTaken is the error of a sandbox with an address that another one has.
type AddressTaken = addresses.Taken

// checkAddresses refuses a sandbox with an address that somebody else has, of whichever kind.
func (r *Runtime) checkAddresses(s *bound.Sandbox) error {
	return r.checkPlanned([]*bound.Sandbox{s}, func(string) bool { return true })
}

// checkPlanned is checkAddresses where only the sandboxes that stay keep theirs.
func (r *Runtime) checkPlanned(list []*bound.Sandbox, stays func(sandbox string) bool) error {
	list = slices.DeleteFunc(list, func(s *bound.Sandbox) bool { return s == nil || len(s.Metadata.Address) == 0 })
	if len(list) == 0 {
		return nil
	}
	host, err := addresses.Look(r.drivers.EachDriver)
	if err != nil {
		return err
	}
	for _, s := range list {
		err = errors.Join(err, host.Check(s.Name, s.Metadata, stays))
	}
	return err
}
