package inet6

import (
	"strings"
	"testing"
)

func TestTentative(t *testing.T) {
	const table = `00000000000000000000000000000001 01 80 10 80       lo
fd830000000000000000000000000001 03 40 00 c0   waits
fd830000000000000000000000000002 04 40 00 80    holds
fd830000000000000000000000000003 05 40 00 c8   another
`
	for device, want := range map[string]bool{"lo": false, "waits": true, "holds": false, "another": false, "none": false} {
		got := anyTentative(strings.NewReader(table), func(d string) bool { return d == device })
		if got != want {
			t.Errorf("%s: %v", device, got)
		}
	}
}
