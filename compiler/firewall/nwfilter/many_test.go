package nwfilter

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/internal/randompolicy"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// mixedRules are rules of both directions, one for each of n draws.
func mixedRules(n int, draw func(i int) (port schema.Ports, remote string)) firewall.Rules {
	rules := make([]schema.Rule, n)
	for i := range rules {
		port, remote := draw(i)
		match := &schema.Match{TCP: []schema.Ports{port}}
		var peers schema.List
		if remote != "" {
			peers = schema.List{remote}
		}
		if rules[i] = (schema.Rule{In: match, From: peers}); i%2 == 1 {
			rules[i] = schema.Rule{Out: match, To: peers}
		}
	}
	return allow(rules...)
}

// As many rules as a profile may have become a filter that is proven: rules for
// an address each, and rules for a port each in both directions, whose pairs are
// millions.
func TestCompileManyRules(t *testing.T) {
	for name, draw := range map[string]func(i int) (schema.Ports, string){
		"an address each": func(i int) (schema.Ports, string) {
			return schema.Ports{From: 80, To: 443}, fmt.Sprintf("10.%d.%d.0/24", i/250, i%250)
		},
		"a port each": func(i int) (schema.Ports, string) {
			return schema.Ports{From: uint16(2*i + 1), To: uint16(2*i + 1)}, ""
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := Compile(randompolicy.NIC("10.0.0.80"), mixedRules(5000, draw))
			if err != nil {
				t.Fatal(err)
			}
			list := Remarks(c.Policy)
			if len(list) != 1 || list[0].Code != diag.SlowFilter || !strings.Contains(list[0].Message, "15000 rules") {
				t.Errorf("warnings: %v", list)
			}
		})
	}
}

// Rules that are too many for a filter, or for its proof, are refused.
func TestCompileTooManyRules(t *testing.T) {
	for name, c := range map[string]struct {
		rules firewall.Rules
		want  string
	}{
		"ports": {mixedRules(6000, func(i int) (schema.Ports, string) { return schema.Ports{From: uint16(i + 1), To: uint16(i + 1)}, "" }),
			"the rules become 18000 rules of a packet filter, of which sbx takes 16000"},
		"odd ranges": {mixedRules(400, func(i int) (schema.Ports, string) {
			return schema.Ports{From: 80, To: 80}, fmt.Sprintf("10.%d.0.1-10.%[1]d.255.254", i/2)
		}), "rules of a packet filter"},
	} {
		_, err := Compile(randompolicy.NIC("10.0.0.80"), c.rules)
		list, _ := diag.From(err)
		if len(list) != 1 || list[0].Code != diag.FirewallRule || !strings.Contains(list[0].Message, c.want) || list[0].Path != c.rules.Path {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Addresses and ports that overlap in every way make more regions than can be
// looked at.
func TestCompileRulesThatOverlap(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes as long as a proof may")
	}
	r := rand.New(rand.NewPCG(1, 5))
	rules := mixedRules(5000, func(int) (schema.Ports, string) {
		low := uint16(1 + r.IntN(60000))
		bits := r.IntN(33)
		network := netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(r.IntN(256)), byte(r.IntN(256)), 1, 1}), bits).Masked()
		return schema.Ports{From: low, To: low + uint16(r.IntN(200))}, network.String()
	})
	_, err := Compile(randompolicy.NIC("10.0.0.80"), rules)
	if list, _ := diag.From(err); len(list) != 1 || !strings.Contains(list[0].Message, "overlap in too many ways") {
		t.Errorf("got %v, want it refused", err)
	}
}
