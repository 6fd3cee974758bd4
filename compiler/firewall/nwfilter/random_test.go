package nwfilter

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/internal/randompolicy"
)

// randomCompiled draws until the rules fit the interface.
func randomCompiled(t *testing.T, r *rand.Rand) *Compiled {
	t.Helper()
	for {
		c, err := Compile(randompolicy.Interface(r), randompolicy.Rules(r))
		if proof := (*ProofError)(nil); errors.As(err, &proof) {
			t.Fatal(err)
		}
		if err == nil {
			return c
		}
	}
}

// breakFilter changes one rule and says how.
func breakFilter(r *rand.Rand, f *libvirtxml.NWFilter) string {
	n := r.IntN(len(f.Entries))
	rule := f.Entries[n].Rule
	switch r.IntN(4) {
	case 0:
		f.Entries = slices.Delete(f.Entries, n, n+1)
		return fmt.Sprintf("rule %d removed", n)
	case 1:
		rule.Action = map[string]string{"accept": "drop", "drop": "accept"}[rule.Action]
		return fmt.Sprintf("rule %d turned around", n)
	case 2:
		rule.Direction = map[string]string{"in": "out", "out": "in", "inout": "in"}[rule.Direction]
		return fmt.Sprintf("direction of rule %d", n)
	default:
		rule.Priority = r.IntN(1999) - 1000
		if rule.Priority >= 0 {
			rule.Priority++
		}
		return fmt.Sprintf("priority of rule %d", n)
	}
}
