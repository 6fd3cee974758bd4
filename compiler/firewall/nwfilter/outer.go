package nwfilter

import (
	"fmt"
	"slices"

	"github.com/sbx-dev/sbx/compiler/firewall"
)

// MaxOuterRules bounds what an outer wall has of the policy, in rules of ebtables.
const MaxOuterRules = 40

// Outer lowers a policy to the filter that stands around an inner wall: ebtables alone,
// of which libvirt starts few programs. It holds what has no state (whose addresses,
// which families, default deny) and the policy as far as that many rules can say it: all
// of a small one, and of a large one a cover, made by joining what lies next to each
// other, the closest first. What is joined is of one direction, family and protocol, so
// that nothing opens of which no rule speaks.
//
// It is nil where the filter of Lower stands around the inner wall, too, because libvirt
// counts connections in it.
func Outer(p *firewall.Policy) (*Compiled, error) {
	if slices.ContainsFunc(p.Rules(), func(r firewall.Rule) bool { return r.Connections > 0 }) {
		return nil, nil
	}
	l := newLowering(p)
	l.wholeEbtables(cover(p, MaxOuterRules))
	c, err := written(p, l.filter)
	if err != nil {
		return nil, fmt.Errorf("firewall: outer wall: %w", err)
	}
	return c, nil
}
