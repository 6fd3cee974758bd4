package drivers

import (
	"slices"
	"testing"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/runtime/internal/known"
	"github.com/sbx-dev/sbx/schema"
)

// A connection that is one driver's alone is no reason to fail for the others, and one
// that is nobody's is.
func TestEachKindOfANamedConnection(t *testing.T) {
	for named, want := range map[string][]schema.Backend{
		"":                known.Names(),
		"qemu:///session": {schema.KVM},
		"lxc:///system":   known.Names(),
		"test:///default": nil,
	} {
		var met []schema.Backend
		connect := func(schema.Backend) (*libvirt.Connect, error) { return nil, nil }
		err := New(named, nil).Each(connect, func(_ *libvirt.Connect, kind schema.Backend) (bool, error) {
			met = append(met, kind)
			return true, nil
		})
		if !slices.Equal(met, want) || (err != nil) != (want == nil) {
			t.Errorf("%q: %v, %v", named, met, err)
		}
	}
}
