package nwfilter

import (
	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/compiler/firewall/space"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Failure is a claim that does not hold, with the packet that shows it.
type Failure struct {
	What    string // what the packet does, against the claim
	Packet  space.Packet
	Rule    *firewall.Rule // the rule that lets the packet pass, if one does
	Sources []space.Source
}

// Check finds out whether a claim holds. Claims on packets are asked of the
// model of the filter, for every source at once; claims on sets are compared
// exactly with the policy. path is the claim's place in the profile, for errors.
func (c *Compiled) Check(test schema.Test, path string, r firewall.Rules) ([]Failure, error) {
	var out []Failure
	for _, claim := range []struct {
		packets []string
		pass    bool
	}{{test.Accept, true}, {test.Drop, false}} {
		for _, text := range claim.packets {
			packet, err := c.Policy.ParsePacket(text)
			if err != nil {
				return nil, &diag.Diagnostic{Pos: r.Pos(path), Severity: diag.Error, Code: diag.FirewallRule, Path: path, Message: err.Error()}
			}
			out = append(out, c.checkPacket(packet, claim.pass)...)
		}
	}
	for _, claim := range []struct {
		name  string
		rules []schema.Rule
		check func(p, set *firewall.Policy) []Failure
	}{{"never", test.Never, checkNever}, {"always", test.Always, checkAlways}, {"only", test.Only, checkOnly}} {
		if len(claim.rules) == 0 {
			continue
		}
		r.Allow, r.Path = claim.rules, path+"."+claim.name
		set, err := firewall.Resolve(c.Policy.Interface(), r)
		if err != nil {
			return nil, err
		}
		out = append(out, claim.check(c.Policy, set)...)
	}
	return out, nil
}

// checkPacket asks the filter about the packet from each source, on a host that
// is set up as sbx wants it.
func (c *Compiled) checkPacket(p space.Packet, pass bool) []Failure {
	var against []space.Source
	for _, from := range []space.Source{space.Peer, space.Host, space.Routed} {
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

func checkNever(p, set *firewall.Policy) []Failure {
	packet, mine, _, overlap := p.Overlap(set)
	if !overlap {
		return nil
	}
	return []Failure{{What: "can be opened", Packet: packet, Rule: &mine}}
}

func checkAlways(p, set *firewall.Policy) (out []Failure) {
	for _, d := range p.Lacks(set) {
		out = append(out, Failure{What: "cannot be opened", Packet: d.Witness})
	}
	return out
}

func checkOnly(p, set *firewall.Policy) (out []Failure) {
	for _, d := range p.Beyond(set) {
		out = append(out, Failure{What: "can be opened too", Packet: d.Witness, Rule: &d.Rule})
	}
	return out
}
