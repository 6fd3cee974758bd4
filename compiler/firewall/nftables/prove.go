package nftables

import (
	"fmt"

	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/compiler/firewall/space"
)

// Outer is the wall that stands outside of the inner one, as it treats the packets of
// one space: all clauses, and where none matches the packet passes.
type Outer interface {
	// Every gives what each packet meets.
	Every(space.Slice) []space.Clause
	// Bridged gives what bridged packets and those that leave meet besides.
	Bridged(space.Slice) []space.Clause
}

// ProofError says that the two walls do not do what their policy says. It is a mistake
// in sbx, never in a profile.
type ProofError struct {
	Table  string
	Packet space.Packet
	Want   bool   // what the policy says
	Wall   string // which wall does otherwise
}

func (e *ProofError) Error() string {
	verb := map[bool]string{true: "passes", false: "is dropped"}
	return fmt.Sprintf("firewall: table %s is not what its rules say: %s: by the rules it %s, by %s it %s; this is a mistake in sbx, please report it",
		e.Table, e.Packet, verb[e.Want], e.Wall, verb[!e.Want])
}

// The lists of the proof.
const (
	listPolicy = iota
	listInner
	listEvery
	listBridged
	numLists
)

// Prove shows that the inner wall lets exactly the policy pass, and the outer one no
// less, so that the two together are the policy, wherever a packet comes from. An
// address that is leased the outer wall alone knows: there the two together are
// compared. It looks at every packet there is. The error is a *ProofError with a packet.
func Prove(p *firewall.Policy, inner *Wall, outer Outer) error {
	exact := p.Exact()
	for _, s := range space.AllSlices() {
		lists := [][]space.Clause{exact[s], inner.clauses[s], outer.Every(s), outer.Bridged(s)}
		err := space.PartitionVerdicts(s.Universe(), lists, func(all []space.Clause, r *space.Region, matching []int32) error {
			var passes [numLists]bool
			for list := range numLists {
				var of []int32
				of, matching = space.FirstOf(all, matching, list)
				c := space.Decide(all, of)
				passes[list] = c != nil && c.Verdict != space.Drop || c == nil && list != listPolicy
			}
			fault := &ProofError{Table: inner.table.Name, Packet: space.PacketAt(s, r.Corner(), space.Peer), Want: passes[listPolicy]}
			switch want := passes[listPolicy]; {
			case passes[listInner] != want && (want || !leased(p, s)):
				fault.Wall = "the inner wall"
			case want && !(passes[listEvery] && passes[listBridged]):
				fault.Wall = "the outer wall"
			case !want && passes[listInner] && passes[listEvery]:
				fault.Wall = "both walls"
			default:
				return nil
			}
			return fault
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// leased says whether the interface's own addresses in a space are leased.
func leased(p *firewall.Policy, s space.Slice) bool {
	return p.Interface().DHCP && (s.Kind == space.KindV4 || s.Kind == space.KindARP)
}
