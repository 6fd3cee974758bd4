package nwfilter

import (
	"fmt"
	"slices"

	"github.com/sbx-dev/sbx/compiler/firewall"
)

// MaxOuterRules bounds what an outer wall has of a policy that it says exactly, in rules of
// ebtables, and coverRules what it has of one that it does not. libvirt starts a program
// for each, which takes the longer the more there are already; and of a cover of fewer
// rules, fewer change with a rule of the policy, for which libvirt makes all anew.
const (
	MaxOuterRules = 40
	coverRules    = 20
)

// Outer lowers a policy to the filter that stands around an inner wall: ebtables alone,
// of which libvirt starts few programs. It holds what has no state (whose addresses,
// which families, default deny) and the policy: all of a small one, and of a large one a
// cover of few rules, made by joining what lies next to each other, the closest first. What
// is joined is of one direction, family and protocol, so that nothing opens of which no
// rule speaks.
//
// It is nil where the filter of Lower stands around the inner wall, too, because libvirt
// counts connections in it.
func Outer(p *firewall.Policy) (*Compiled, error) {
	if slices.ContainsFunc(p.Rules(), func(r firewall.Rule) bool { return r.Connections > 0 }) {
		return nil, nil
	}
	l := newLowering(p)
	l.wholeEbtables(cover(p, MaxOuterRules, coverRules))
	c, err := written(p, l.filter)
	if err != nil {
		return nil, fmt.Errorf("firewall: outer wall: %w", err)
	}
	return c, nil
}
