package firewall

import (
	"slices"

	"github.com/sbx-dev/sbx/compiler/firewall/space"
)

// Overlap gives a packet that both policies admit, and the rules of either that
// do; ok is false when there is none. The policies guard the same interface.
func (p *Policy) Overlap(q *Policy) (packet space.Packet, mine, theirs Rule, ok bool) {
	mineBy, theirsBy := p.openings(), q.openings()
	for _, t := range topics() {
		for _, a := range mineBy[t] {
			for _, b := range theirsBy[t] {
				src, aimed := intersect(a.Box[space.DimSrc], b.Box[space.DimSrc])
				service, spoken := intersect(a.Box[space.DimDstPort], b.Box[space.DimDstPort])
				if !aimed || !spoken {
					continue
				}
				d := Difference{In: t.in,
					Remotes:  []space.Range{{From: src.Low.Address(t.v6), To: src.High.Address(t.v6)}},
					Services: []Service{{t.proto, uint16(service.Low.Lo), uint16(service.High.Lo)}}}
				return p.witness(&d), p.rules[a.Rule], q.rules[b.Rule], true
			}
		}
	}
	return space.Packet{}, Rule{}, Rule{}, false
}

func intersect(a, b space.Interval) (space.Interval, bool) {
	out := a
	if b.Low.Compare(out.Low) > 0 {
		out.Low = b.Low
	}
	if b.High.Compare(out.High) < 0 {
		out.High = b.High
	}
	return out, out.Low.Compare(out.High) <= 0
}

// Beyond gives what p admits, in the directions that q has rules for, and q does
// not.
func (p *Policy) Beyond(q *Policy) []Difference {
	return slices.DeleteFunc(Compare(q, p).Added, func(d Difference) bool {
		return !slices.ContainsFunc(q.rules, func(r Rule) bool { return r.In == d.In })
	})
}

// Lacks gives what q admits and p does not.
func (p *Policy) Lacks(q *Policy) []Difference { return Compare(q, p).Removed }
