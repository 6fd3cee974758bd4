package nftables_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/compiler/firewall/nftables"
	"github.com/sbx-dev/sbx/compiler/firewall/nwfilter"
	"github.com/sbx-dev/sbx/internal/randompolicy"
	"github.com/sbx-dev/sbx/schema"
)

// manyRules is a policy of n rules of both directions, of the ports and remotes that draw
// says.
func manyRules(t testing.TB, n int, draw func(i int) (schema.Ports, string)) *firewall.Policy {
	t.Helper()
	rules := firewall.Rules{Path: "network.allow"}
	for i := range n {
		ports, remote := draw(i)
		match, peers := &schema.Match{TCP: []schema.Ports{ports}}, schema.List{}
		if remote != "" {
			peers = schema.List{remote}
		}
		rule := schema.Rule{In: match, From: peers}
		if i%2 == 1 {
			rule = schema.Rule{Out: match, To: peers}
		}
		rules.Allow = append(rules.Allow, rule)
	}
	p, err := firewall.Resolve(randompolicy.NIC("10.0.0.80"), rules)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// many are lists of the shapes that lists grow to.
var many = map[string]func(i int) (schema.Ports, string){
	"an address each": func(i int) (schema.Ports, string) {
		return schema.Ports{From: 80, To: 443}, fmt.Sprintf("10.%d.%d.0/24", i/250, i%250)
	},
	"a port each": func(i int) (schema.Ports, string) {
		return schema.Ports{From: uint16(2*i + 1), To: uint16(2*i + 1)}, ""
	},
	"both": func(i int) (schema.Ports, string) {
		return schema.Ports{From: uint16(1 + i*7%9000), To: uint16(100 + i*7%9000)}, fmt.Sprintf("10.%d.%d.0/20", i%16, i/16%16*16)
	},
}

func bothWalls(t testing.TB, p *firewall.Policy) *nftables.Table {
	t.Helper()
	outer, err := nwfilter.Outer(p)
	if err != nil {
		t.Fatal(err)
	}
	table, err := nftables.Compile(p, device)
	if err != nil {
		t.Fatal(err)
	}
	if err := prove(p, table, outer.Model); err != nil {
		t.Fatal(err)
	}
	return table
}

// As many rules as a profile may have are two walls that are proven.
func TestManyRules(t *testing.T) {
	for name, draw := range many {
		t.Run(name, func(t *testing.T) {
			elements := 0
			for _, s := range bothWalls(t, manyRules(t, 5000, draw)).Sets {
				elements += len(s.Elements)
			}
			if elements > nftables.MaxElements {
				t.Errorf("5,000 rules become %d elements", elements)
			}
		})
	}
}

func BenchmarkWalls(b *testing.B) {
	for name, draw := range many {
		for _, n := range []int{5, 500, 5000} {
			p := manyRules(b, n, draw)
			b.Run(fmt.Sprintf("%s/%d/filter", name, n), func(b *testing.B) {
				for b.Loop() {
					if _, err := alone(p); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run(fmt.Sprintf("%s/%d/walls", name, n), func(b *testing.B) {
				for b.Loop() {
					bothWalls(b, p)
				}
			})
		}
	}
}

// More elements than a kernel is to be given are told from what cannot be compiled.
func TestTooManyElements(t *testing.T) {
	if _, err := nftables.Compile(manyRules(t, nftables.MaxElements+1, many["a port each"]), device); !errors.Is(err, nftables.ErrTooMany) {
		t.Errorf("%d rules that cannot be joined: %v", nftables.MaxElements+1, err)
	}
}
