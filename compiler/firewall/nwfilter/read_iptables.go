package nwfilter

import (
	"fmt"
	"strings"

	"github.com/sbx-dev/sbx/compiler/firewall/space"
)

// ruleIptables is what an element of iptables asks for.
type ruleIptables struct {
	kind     space.Kind
	boxes    []space.Box
	states   []space.State // explicit ones
	typed    bool          // an ICMP type stands in it
	limiting bool          // it matches only above a number of connections
}

// placeIptables places a rule of iptables. libvirt turns each into up to two: one for
// the rule's direction, one for the packets that go back.
func (r *reader) placeIptables(in instance) error {
	if in.chain != "root" {
		return fmt.Errorf("<%s> in chain %s: libvirt would not walk the chain for it", in.match.name, in.chain)
	}
	rule, err := matchIptables(in.match)
	if err != nil {
		return err
	}
	verdict := verdictOf(in.action)
	switch {
	case rule.limiting && verdict == space.Drop:
		return nil // it never lets more pass
	case rule.limiting:
		return fmt.Errorf("a number of connections is modelled in a drop only")
	case rule.typed && in.direction == "inout":
		return fmt.Errorf("libvirt installs nothing for an ICMP type in both directions")
	}
	for _, b := range rule.boxes {
		r.addIptables(in, rule, b, verdict)
	}
	return nil
}

// addIptables adds a box, by the rules that libvirt 9.0 was seen to install.
func (r *reader) addIptables(in instance, rule *ruleIptables, b space.Box, v space.Verdict) {
	add := func(incoming bool, b space.Box, states ...space.State) {
		if len(states) == 0 {
			r.clauses = append(r.clauses, placed{&in, space.Slice{In: incoming, Kind: rule.kind}, true, space.Clause{Box: b, Verdict: v, Rule: in.rule}})
		}
		for _, s := range states {
			b[space.DimState] = space.Single(space.Number(uint64(s)))
			r.clauses = append(r.clauses, placed{&in, space.Slice{In: incoming, Kind: rule.kind}, true, space.Clause{Box: b, Verdict: v, Rule: in.rule}})
		}
	}
	incoming := in.direction != "out"
	switch {
	case in.direction == "inout":
		add(true, b, rule.states...)
		add(false, b.Reversed(), rule.states...)
	case len(rule.states) > 0 && !in.stateless:
		add(incoming, b, rule.states...)
	case in.stateless || v != space.Accept:
		add(incoming, b)
		if !rule.typed {
			add(!incoming, b.Reversed())
		}
	case rule.typed:
		// No way back, and no direction of the connection asked for.
		add(incoming, b, space.New, space.Original, space.Reply)
	default:
		add(incoming, b, space.New, space.Original)
		add(!incoming, b.Reversed(), space.Reply)
	}
}

// conntrack maps the states of a rule.
var conntrack = map[string][]space.State{"NEW": {space.New}, "ESTABLISHED": {space.Original, space.Reply}, "RELATED": {space.Related}, "INVALID": {space.Invalid}}

func matchIptables(e *element) (*ruleIptables, error) {
	spec := iptablesElements[e.name]
	f := &fields{attrs: e.attrs}
	rule := &ruleIptables{kind: spec.kind}
	b := space.Everything()
	if spec.proto >= 0 {
		b[space.DimProto] = space.Single(space.Number(uint64(spec.proto)))
	}
	v6 := spec.kind == space.KindV6
	b[space.DimSrc] = f.either(f.addr("srcipaddr", "srcipmask", v6), f.addrRange("srcipfrom", "srcipto", v6))
	b[space.DimDst] = f.either(f.addr("dstipaddr", "dstipmask", v6), f.addrRange("dstipfrom", "dstipto", v6))
	if spec.ports {
		b[space.DimSrcPort], _ = f.numbers("srcportstart", "srcportend", 0xffff)
		b[space.DimDstPort], _ = f.numbers("dstportstart", "dstportend", 0xffff)
	}
	if e.name == "icmp" || e.name == "icmpv6" {
		rule.typed = f.icmp(&b)
	}
	if _, ok := f.number("connlimit-above", 1<<32-1); ok {
		rule.limiting = true
	}
	if text, ok := f.take("state"); ok {
		for _, word := range strings.Split(text, ",") {
			states, known := conntrack[word]
			if !known {
				f.fail("the state %q is not modelled", word)
			}
			rule.states = append(rule.states, states...)
		}
	}
	if err := f.rest(); err != nil {
		return nil, err
	}
	rule.boxes = []space.Box{b}
	var err error
	if e.attrs["match"] == "no" {
		if len(rule.states) > 0 || rule.limiting {
			return nil, fmt.Errorf("match='no' is modelled for one address alone")
		}
		rule.boxes, err = negate(b)
	}
	return rule, err
}

func (f *fields) either(a, b space.Interval) space.Interval {
	if a != space.Full && b != space.Full {
		f.fail("an address and a range for the same end")
	}
	if a == space.Full {
		return b
	}
	return a
}

func (f *fields) addrRange(from, to string, v6 bool) space.Interval {
	low, high := f.addr(from, "", v6), f.addr(to, "", v6)
	if low == space.Full && high == space.Full {
		return space.Full
	}
	if low == space.Full || high == space.Full || high.Low.Compare(low.Low) < 0 {
		f.fail("%s and %s are no range", from, to)
		return space.Full
	}
	return space.Interval{Low: low.Low, High: high.High}
}

// icmp bounds the type and code; typed says whether a type is asked for.
func (f *fields) icmp(b *space.Box) (typed bool) {
	kind, typed := f.number("type", 0xff)
	code, coded := f.number("code", 0xff)
	switch {
	case typed && coded:
		b[space.DimDstPort] = space.Single(space.Number(kind<<8 | code))
	case typed:
		b[space.DimDstPort] = space.Span(kind<<8, kind<<8|0xff)
	case coded:
		f.fail("code without type matches every message")
	}
	return typed
}
