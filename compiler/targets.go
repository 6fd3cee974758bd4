package compiler

import (
	"fmt"

	"github.com/sbx-dev/sbx/compiler/bundle"
	"github.com/sbx-dev/sbx/compiler/libvirt"
	"github.com/sbx-dev/sbx/compiler/resolve"
)

// target adds to a bundle what it needs to carry a resolved profile out, and refuses
// what it cannot enforce.
type target struct {
	name  string
	lower func(*resolve.Sandbox, *bundle.Bundle) error
}

// targets are all that there are.
var targets = []target{
	{"", libvirt.Lower},
}

func targetNamed(name string) (func(*resolve.Sandbox, *bundle.Bundle) error, error) {
	for _, t := range targets {
		if t.name == name {
			return t.lower, nil
		}
	}
	return nil, fmt.Errorf("%q is not a target that this sbx can lower profiles to", name)
}
