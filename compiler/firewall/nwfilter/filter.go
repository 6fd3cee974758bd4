package nwfilter

import (
	"fmt"

	"github.com/sbx-dev/sbx/compiler/firewall/space"
)

// Filter is an nwfilter as the kernel carries it out.
type Filter struct {
	Name     string
	rules    []filterRule
	ebtables map[space.Slice][]space.Clause // what ebtables walks, in its order
	iptables map[space.Slice][]space.Clause // what iptables and ip6tables walk; of IP only
}

// filterRule is what is remembered of an nwfilter rule for people.
type filterRule struct {
	filter   string // the filter that it stands in
	text     string // the rule, in words
	comment  string
	priority int
}

// Verdict is a filter's decision on one packet.
type Verdict struct {
	Accept      bool
	Ebtables    Step
	Iptables    Step // zero where the packet does not meet iptables
	MetIptables bool
}

// Step is what one layer did.
type Step struct {
	Accept  bool
	Rule    string // the rule that decided, in words; "" for the layer's default
	Comment string // that rule's comment: in a filter of sbx's, the profile's line
}

// meetsIptables says whether a packet is shown to iptables: libvirt's chain for packets
// to a guest is entered for bridged ones only, and without bridge-nf-call no
// chain is.
func meetsIptables(s space.Slice, from space.Source, nfCall bool) bool {
	return nfCall && (s.Kind == space.KindV4 || s.Kind == space.KindV6) && (from == space.Peer || !s.In)
}

// Eval decides on a packet. nfCall is the host's bridge-nf-call-iptables, or
// -ip6tables for IPv6.
func (f *Filter) Eval(p space.Packet, nfCall bool) Verdict {
	s, at := p.Place()
	v := Verdict{Ebtables: f.step(f.ebtables[s], &at)}
	v.Accept = v.Ebtables.Accept
	if v.MetIptables = meetsIptables(s, p.Source, nfCall); v.MetIptables {
		v.Iptables = f.step(f.iptables[s], &at)
		v.Accept = v.Accept && v.Iptables.Accept
	}
	return v
}

func (f *Filter) step(clauses []space.Clause, at *space.Point) Step {
	var matching []int32
	for i := range clauses {
		if clauses[i].Box.Has(at) {
			matching = append(matching, int32(i))
		}
	}
	c := space.Decide(clauses, matching)
	if c == nil {
		return Step{Accept: true}
	}
	r := f.rules[c.Rule]
	return Step{Accept: c.Verdict != space.Drop, Rule: r.text, Comment: r.comment}
}

// UnsupportedError says what of an nwfilter cannot be modelled exactly.
type UnsupportedError struct {
	Filter string
	Rule   string // in words
	Why    string
}

func (e *UnsupportedError) Error() string {
	if e.Rule == "" {
		return fmt.Sprintf("filter %s: %s", e.Filter, e.Why)
	}
	return fmt.Sprintf("filter %s: %s: %s", e.Filter, e.Rule, e.Why)
}

// Every gives the clauses that each packet of a space meets, those of ebtables.
func (f *Filter) Every(s space.Slice) []space.Clause { return f.ebtables[s] }

// Bridged gives the clauses that bridged packets and those that leave meet besides,
// those of iptables.
func (f *Filter) Bridged(s space.Slice) []space.Clause { return f.iptables[s] }
