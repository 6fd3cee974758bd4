package firewall

import (
	"fmt"
)

// ProofError says that a filter does not do what its policy says. It is a
// mistake in sbx, never in a profile.
type ProofError struct {
	Filter string
	Packet Packet
	NFCall bool // the bridge-nf-call that the packet meets
	Want   bool // what the policy says
}

func (e *ProofError) Error() string {
	verb := map[bool]string{true: "passes", false: "is dropped"}
	return fmt.Sprintf("firewall: filter %s is not what its rules say: %s (%s, bridge-nf-call %t): by the rules it %s, by the filter it %s; this is a mistake in sbx, please report it",
		e.Filter, e.Packet, e.Packet.Source, e.NFCall, verb[e.Want], verb[!e.Want])
}

// The lists of the proof.
const (
	listPolicy = iota
	listResidual
	listA
	listB
	numLists
)

// Prove shows that a filter carries out the policy: for packets that meet both
// layers it lets exactly the policy pass, and for those that meet layer A alone
// exactly the residual. It looks at every packet there is, by way of the regions
// in which no rule tells packets apart. The error is a *ProofError with a
// packet.
func (p *Policy) Prove(f *Filter) error {
	admits, residual := p.admits(), p.residual()
	for _, s := range allSlices() {
		if err := p.proveSlice(f, s, [][]clause{admits[s], residual[s], f.a[s], f.b[s]}); err != nil {
			return err
		}
	}
	return nil
}

func (p *Policy) proveSlice(f *Filter, s slice, lists [][]clause) error {
	layerB := s.kind == kindV4 || s.kind == kindV6
	return partitionVerdicts(s.universe(), lists, func(all []clause, r *region, matching []int32) error {
		var passes [numLists]bool
		for list := range numLists {
			var of []int32
			of, matching = firstList(all, matching, list)
			c := decide(all, of)
			passes[list] = c != nil && c.verdict != drop || c == nil && (list == listA || list == listB)
		}
		fault := &ProofError{Filter: f.Name, Packet: packetAt(s, r.corner(), Peer)}
		if layerB && passes[listPolicy] != (passes[listA] && passes[listB]) {
			fault.NFCall, fault.Want = true, passes[listPolicy]
			return fault
		}
		if passes[listResidual] != passes[listA] {
			fault.Want = passes[listResidual]
			return fault
		}
		if passes[listPolicy] && !passes[listResidual] {
			fault.Want = true
			return fault
		}
		return nil
	})
}

// firstList cuts the clauses of a list off the front.
func firstList(all []clause, matching []int32, list int) (of, rest []int32) {
	n := 0
	for n < len(matching) && all[matching[n]].list == list {
		n++
	}
	return matching[:n], matching[n:]
}
