package known

import (
	"fmt"
	"slices"

	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/kinds"
	"github.com/sbx-dev/sbx/runtime/internal/kvm"
	"github.com/sbx-dev/sbx/runtime/internal/lxc"
	"github.com/sbx-dev/sbx/schema"
)

// all are all kinds, in the order in which sandboxes are looked for.
var all = []*kinds.Kind{&lxc.Kind, &kvm.Kind}

// All gives them.
func All() []*kinds.Kind { return all }

// Names are the backends of which there are kinds.
func Names() []schema.Backend {
	names := make([]schema.Backend, len(all))
	for i, k := range all {
		names[i] = k.Name
	}
	return names
}

// Named is the kind that a profile or a person has named.
func Named(name schema.Backend) (*kinds.Kind, error) {
	for _, k := range all {
		if k.Name == name {
			return k, nil
		}
	}
	return nil, fmt.Errorf("backend %q is not one that this sbx knows", name)
}

// Of is the kind of what is known to be one: of a sandbox that has been read, or
// of a connection that was made for it.
func Of(name schema.Backend) *kinds.Kind {
	k, err := Named(name)
	if err != nil {
		panic(err) // whoever reads one from outside asks Named
	}
	return k
}

// WritesLate says whether this is a sandbox that can write to the host, and so may hold
// what is not yet written there.
func WritesLate(s *bound.Sandbox) bool {
	return Of(s.Backend).HoldsBack && slices.ContainsFunc(s.Manifest.Mounts, func(m manifest.Mount) bool { return m.Writable })
}
