package firewall

import (
	"slices"

	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Overlap gives a packet that both policies admit, and the rules of either that
// do; ok is false when there is none. The policies guard the same card.
func (p *Policy) Overlap(q *Policy) (packet Packet, mine, theirs Rule, ok bool) {
	mineBy, theirsBy := p.openings(), q.openings()
	for _, t := range topics() {
		for _, a := range mineBy[t] {
			for _, b := range theirsBy[t] {
				src, aimed := intersect(a.box[dSrc], b.box[dSrc])
				service, spoken := intersect(a.box[dDstPort], b.box[dDstPort])
				if !aimed || !spoken {
					continue
				}
				d := Difference{In: t.in,
					Remotes:  []Range{{src.low.address(t.v6), src.high.address(t.v6)}},
					Services: []Service{{t.proto, uint16(service.low.lo), uint16(service.high.lo)}}}
				return p.witness(&d), p.rules[a.rule], q.rules[b.rule], true
			}
		}
	}
	return Packet{}, Rule{}, Rule{}, false
}

func intersect(a, b interval) (interval, bool) {
	out := a
	if b.low.compare(out.low) > 0 {
		out.low = b.low
	}
	if b.high.compare(out.high) < 0 {
		out.high = b.high
	}
	return out, out.low.compare(out.high) <= 0
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

// Failure is a claim that does not hold, with the packet that shows it.
type Failure struct {
	What    string // what the packet does, against the claim
	Packet  Packet
	Rule    *Rule // the rule that lets the packet pass, if one does
	Sources []Source
}

// Check finds out whether a claim holds. Claims on packets are asked of the
// model of the filter, for every source at once; claims on sets are compared
// exactly with the policy. path is the claim's place in the profile, for errors.
func (c *Compiled) Check(test schema.Test, path string, r Rules) ([]Failure, error) {
	var out []Failure
	for _, claim := range []struct {
		packets []string
		pass    bool
	}{{test.Accept, true}, {test.Drop, false}} {
		for _, text := range claim.packets {
			packet, err := c.Policy.ParsePacket(text)
			if err != nil {
				return nil, &diag.Diagnostic{Pos: r.pos(path), Severity: diag.Error, Code: diag.FirewallRule, Path: path, Message: err.Error()}
			}
			out = append(out, c.checkPacket(packet, claim.pass)...)
		}
	}
	for _, claim := range []struct {
		name  string
		rules []schema.Rule
		check func(*Policy) []Failure
	}{{"never", test.Never, c.Policy.never}, {"always", test.Always, c.Policy.always}, {"only", test.Only, c.Policy.only}} {
		if len(claim.rules) == 0 {
			continue
		}
		r.Allow, r.Path = claim.rules, path+"."+claim.name
		set, err := Resolve(c.Policy.iface, r)
		if err != nil {
			return nil, err
		}
		out = append(out, claim.check(set)...)
	}
	return out, nil
}

// checkPacket asks the filter about the packet from each source, on a host that
// is set up as sbx wants it.
func (c *Compiled) checkPacket(p Packet, pass bool) []Failure {
	var against []Source
	for _, from := range []Source{Peer, Host, Routed} {
		p.Source = from
		if c.Model.Eval(p, true).Accept != pass {
			against = append(against, from)
		}
	}
	if len(against) == 0 {
		return nil
	}
	p.Source = against[0]
	what := map[bool]string{true: "does not pass", false: "passes"}[pass]
	return []Failure{{What: what, Packet: p, Rule: c.Policy.Eval(p).Rule, Sources: against}}
}

func (p *Policy) never(set *Policy) []Failure {
	packet, mine, _, overlap := p.Overlap(set)
	if !overlap {
		return nil
	}
	return []Failure{{What: "can be opened", Packet: packet, Rule: &mine}}
}

func (p *Policy) always(set *Policy) (out []Failure) {
	for _, d := range p.Lacks(set) {
		out = append(out, Failure{What: "cannot be opened", Packet: d.Witness})
	}
	return out
}

func (p *Policy) only(set *Policy) (out []Failure) {
	for _, d := range p.Beyond(set) {
		out = append(out, Failure{What: "can be opened too", Packet: d.Witness, Rule: &d.Rule})
	}
	return out
}
