package nwfilter

import (
	"fmt"

	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/compiler/firewall/space"
)

// ProofError says that a filter does not do what its policy says. It is a
// mistake in sbx, never in a profile.
type ProofError struct {
	Filter string
	Packet space.Packet
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
	listEbtables
	listIptables
	numLists
)

// Prove shows that a filter carries out the policy: for packets that meet both
// layers it lets exactly the policy pass, and for those that meet ebtables alone
// exactly the residual. It looks at every packet there is, by way of the regions
// in which no rule tells packets apart. The error is a *ProofError with a
// packet.
func Prove(p *firewall.Policy, f *Filter) error {
	admits, residual := p.Admits(), p.Residual()
	for _, s := range space.AllSlices() {
		if err := proveSlice(f, s, [][]space.Clause{admits[s], residual[s], f.ebtables[s], f.iptables[s]}); err != nil {
			return err
		}
	}
	return nil
}

func proveSlice(f *Filter, s space.Slice, lists [][]space.Clause) error {
	iptables := s.Kind == space.KindV4 || s.Kind == space.KindV6
	return space.PartitionVerdicts(s.Universe(), lists, func(all []space.Clause, r *space.Region, matching []int32) error {
		var passes [numLists]bool
		for list := range numLists {
			var of []int32
			of, matching = space.FirstOf(all, matching, list)
			c := space.Decide(all, of)
			passes[list] = c != nil && c.Verdict != space.Drop || c == nil && (list == listEbtables || list == listIptables)
		}
		fault := &ProofError{Filter: f.Name, Packet: space.PacketAt(s, r.Corner(), space.Peer)}
		if iptables && passes[listPolicy] != (passes[listEbtables] && passes[listIptables]) {
			fault.NFCall, fault.Want = true, passes[listPolicy]
			return fault
		}
		if passes[listResidual] != passes[listEbtables] {
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
