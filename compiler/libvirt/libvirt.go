// Package libvirt is the target that the runtime applies: a domain, a filter for each
// interface, the networks that the profile owns, and a profile for AppArmor.
package libvirt

import (
	"fmt"

	"github.com/sbx-dev/sbx/compiler/bundle"
	"github.com/sbx-dev/sbx/compiler/libvirt/container"
	"github.com/sbx-dev/sbx/compiler/libvirt/domain"
	"github.com/sbx-dev/sbx/compiler/libvirt/machine"
	"github.com/sbx-dev/sbx/compiler/resolve"
)

// kinds are all kinds of domains.
var kinds = []domain.Kind{
	container.Kind,
	machine.Kind,
}

// Lower writes a resolved profile's documents for libvirt. Its errors are diagnostics
// where the profile is at fault.
func Lower(r *resolve.Sandbox, b *bundle.Bundle) error {
	kind, err := kindOf(r)
	if err != nil {
		return err
	}
	s, err := domain.New(r)
	if err != nil {
		return err
	}
	return kind.Lower(s, b)
}

func kindOf(r *resolve.Sandbox) (domain.Kind, error) {
	for _, k := range kinds {
		if k.Backend == r.Backend {
			return k, nil
		}
	}
	return domain.Kind{}, fmt.Errorf("%s: backend: %q is not one that sbx can lower to libvirt", r.Source.Pos("backend"), r.Backend)
}
