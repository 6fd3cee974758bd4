package bound

import (
	"testing"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/settings"
	"github.com/sbx-dev/sbx/schema/diag"
)

// A filter of which no inner wall was compiled has none on any host: by the host's
// settings it is refused, told of, or as it should be.
func TestAFilterThatEnforcesAlone(t *testing.T) {
	for firewall, want := range map[settings.Firewall]struct{ refused, told bool }{
		settings.NFT:      {refused: true},
		settings.Prefer:   {told: true},
		settings.NWFilter: {},
	} {
		s := &Sandbox{Filters: map[string][]byte{"sbx-large": []byte("<filter/>")}}
		err := s.bindWalls(&compiler.Bundle{}, firewall)
		if (err != nil) != want.refused || (s.FilterAlone != nil) != want.told {
			t.Errorf("%s: %v, told: %v", firewall, err, s.FilterAlone)
		}
		if err != nil && fault.Code(err) != diag.HostSettings {
			t.Errorf("%s: %v has another code", firewall, err)
		}
	}
}
