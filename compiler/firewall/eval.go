package firewall

import (
	"github.com/sbx-dev/sbx/compiler/firewall/space"
)

// Decision is a policy's decision on one packet.
type Decision struct {
	Accept bool
	Rule   *Rule // the rule that admits it; nil for what addresses need to work at all, and for a drop
	// Residual says that the packet passes all the same when it comes from the
	// host or by way of its routing, or when the host's bridge-nf-call is 0.
	Residual bool
}

// Eval decides on a packet by the rules, apart from any filter.
func (p *Policy) Eval(packet space.Packet) Decision {
	s, at := packet.Place()
	for _, c := range p.Admits()[s] {
		if !c.Box.Has(&at) {
			continue
		}
		d := Decision{Accept: true}
		if c.Rule != Infrastructure {
			d.Rule = &p.rules[c.Rule]
		}
		return d
	}
	for _, c := range p.Residual()[s] {
		if c.Box.Has(&at) {
			return Decision{Residual: true}
		}
	}
	return Decision{}
}
