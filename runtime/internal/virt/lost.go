package virt

import (
	"fmt"

	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema/diag"
)

// LostMeanwhile is why a domain that was just found cannot be asked any more;
// without an error of libvirt's it is there, but no longer sbx's.
func LostMeanwhile(name string, err error) error {
	if err == nil || IsGone(err) {
		return fault.New(diag.NoSandbox, "%s: somebody else has just removed it", name)
	}
	return fmt.Errorf("%s: %w", name, Plain(err))
}
