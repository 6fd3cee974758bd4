package compose

import (
	"fmt"
	"strings"
	"testing"
)

// A long list that many aliases repeat is refused before it is in memory as often.
func TestAliasesOfALongList(t *testing.T) {
	const items, services = 1000, 500
	for _, key := range []string{"command", "ports", "volumes"} {
		var b strings.Builder
		fmt.Fprintf(&b, "x: &x [%s]\nservices:\n", strings.TrimSuffix(strings.Repeat("a, ", items), ", "))
		for i := range services {
			fmt.Fprintf(&b, "  s%d: {%s: *x}\n", i, key)
		}
		if _, err := Read([]byte(b.String())); err == nil {
			t.Errorf("%s: %d lists of %d values are taken", key, services, items)
		}
	}
}
