package nwfilter

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/internal/randompolicy"
)

func TestProofHoldsForRandomProfiles(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	n := 5000
	if testing.Short() {
		n = 300
	}
	for range n {
		randomCompiled(t, r)
	}
}

// A proof that cannot fail proves nothing: break filters, and where the proof
// still holds, no packet may tell the broken filter from the whole one.
func TestProofNoticesBrokenFilters(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	caught, n := 0, 1000
	if testing.Short() {
		n = 200
	}
	for range n {
		c := randomCompiled(t, r)
		what := breakFilter(r, c.Filter)
		text, err := c.Filter.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		broken, err := read(c.Policy, []byte(text))
		if err != nil {
			caught++ // not even readable
			continue
		}
		err = Prove(c.Policy, broken)
		if proof := (*ProofError)(nil); errors.As(err, &proof) {
			caught++
			checkProofPacket(t, c.Policy, broken, proof)
			continue
		}
		for range 2000 {
			p := randompolicy.Packet(r, c.Policy)
			for _, nfCall := range []bool{true, false} {
				if broken.Eval(p, nfCall).Accept != c.Model.Eval(p, nfCall).Accept {
					t.Fatalf("%s goes unnoticed, but %s (%s, %t) tells the filters apart\n%s", what, p, p.Source, nfCall, text)
				}
			}
		}
	}
	if caught < n/2 {
		t.Errorf("only %d of %d broken filters were noticed", caught, n)
	}
}

// checkProofPacket asks the model of the broken filter about the proof's packet.
func checkProofPacket(t *testing.T, p *firewall.Policy, broken *Filter, proof *ProofError) {
	t.Helper()
	if got := broken.Eval(proof.Packet, proof.NFCall).Accept; got == proof.Want {
		t.Fatalf("the proof's packet %s passes: %t, as the policy wants", proof.Packet, got)
	}
	if proof.NFCall && p.Eval(proof.Packet).Accept != proof.Want {
		t.Fatalf("the policy does not want %s: %t", proof.Packet, proof.Want)
	}
}
