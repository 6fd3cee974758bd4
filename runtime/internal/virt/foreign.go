package virt

import (
	"errors"
	"fmt"

	"github.com/sbx-dev/sbx/schema/diag"
)

// foreignError is something of libvirt's that has a name of ours and another
// maker. sbx neither changes nor removes it.
type foreignError struct{ kind, name, help string }

// Code implements fault.Coded.
func (e *foreignError) Code() string { return diag.NameTaken }

func (e *foreignError) Error() string {
	return fmt.Sprintf("libvirt has a %s %s that sbx did not make, and sbx leaves it alone: %s", e.kind, e.name, e.help)
}

// UnlessForeign is err for those who only remove what sbx made.
func UnlessForeign(err error) error {
	if foreign := (*foreignError)(nil); errors.As(err, &foreign) {
		return nil
	}
	return err
}
