package innerwall

import (
	"math/rand/v2"
	"testing"

	"github.com/sbx-dev/sbx/compiler/firewall"
	compiled "github.com/sbx-dev/sbx/compiler/firewall/nftables"
	"github.com/sbx-dev/sbx/compiler/firewall/space"
	"github.com/sbx-dev/sbx/internal/randompolicy"
)

// The copy that stands before the outer wall drops what the wall lets out in no state,
// and nothing that it lets out in any.
func TestTheEarlyChainsDropNothingMore(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	passed, dropped := 0, 0
	for range 300 {
		p, err := firewall.Resolve(randompolicy.Interface(r), randompolicy.Rules(r))
		if err != nil { // the rules do not fit the interface
			continue
		}
		table, err := compiled.Compile(p, "sbx0123456789ab")
		if err != nil {
			t.Fatal(err)
		}
		wall, early := model(t, table), model(t, earlyAlone(t, table))
		for range 200 {
			packet := randompolicy.Packet(r, p)
			packet.In = false
			lets := false
			for packet.State = range space.NumStates {
				lets = lets || wall.Eval(packet).Accept
			}
			if got := early.Eval(packet); got.Accept != lets {
				t.Fatalf("%s: the wall lets it out in some state: %t; the early chains: %+v\n%s", packet, lets, got, table.Text())
			}
			if lets {
				passed++
			} else {
				dropped++
			}
		}
	}
	if passed < 1000 || dropped < 1000 {
		t.Errorf("%d packets passed, %d were dropped: that shows nothing", passed, dropped)
	}
}

// earlyAlone is a table of nothing but the copy.
func earlyAlone(t *testing.T, table *compiled.Table) *compiled.Table {
	t.Helper()
	chains, err := earlyChains(table)
	if err != nil {
		t.Fatal(err)
	}
	for i := range chains {
		if chains[i].Name == earlyPrefix+string(compiled.Prerouting) {
			chains[i].Hook = compiled.Prerouting
		}
	}
	return &compiled.Table{Name: table.Name, Device: table.Device, Sets: table.Sets, Chains: chains}
}

func model(t *testing.T, table *compiled.Table) *compiled.Wall {
	t.Helper()
	w, err := compiled.Model(table)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// What drops by a state is no part of a copy that knows none.
func TestTheEarlyChainsTakeNoDropByState(t *testing.T) {
	table := &compiled.Table{Chains: []compiled.Chain{{Name: "prerouting", Hook: compiled.Prerouting, Rules: []compiled.Rule{
		{Match: []compiled.Match{{Fields: []compiled.Field{compiled.CTState}, States: []compiled.State{compiled.New}}}, Verdict: compiled.Drop},
	}}}}
	if _, err := convert(table); err == nil {
		t.Error("it was taken")
	}
}

func TestHeld(t *testing.T) {
	h := Held{[]set{{name: "s", elements: []element{{key: []byte{6, 0, 0, 0, 0, 80, 0, 0}, keyEnd: []byte{6, 0, 0, 0, 0, 90, 0, 0}}}}}}
	for want, keys := range map[bool][][][]byte{
		true:  {{{6}, {0, 80}}, {{6}, {0, 85}}, {{6}, {0, 90}}},
		false: {{{6}, {0, 79}}, {{6}, {0, 91}}, {{17}, {0, 85}}, {{6}}, {{6}, {0, 85}, {1}}},
	} {
		for _, key := range keys {
			if h.Has("s", key...) != want {
				t.Errorf("%v is held: %t", key, !want)
			}
		}
	}
	if h.Has("other", []byte{6}) {
		t.Error("another set holds it")
	}
}
