package innerwall

import (
	"fmt"
	"testing"

	"github.com/google/nftables/expr"

	"github.com/sbx-dev/sbx/compiler/firewall"
	compiled "github.com/sbx-dev/sbx/compiler/firewall/nftables"
	"github.com/sbx-dev/sbx/internal/randompolicy"
	"github.com/sbx-dev/sbx/schema"
)

// Whatever a compiled table asks of a kernel stands in the table by which it is asked
// whether it can hold one: nothing is met only when elements have been loaded.
func TestProbeHasEverything(t *testing.T) {
	probe, err := everything()
	if err != nil {
		t.Fatal(err)
	}
	asked := map[string]bool{}
	for _, k := range kinds(probe) {
		asked[k] = true
	}
	policy, err := firewall.Resolve(randompolicy.NIC("10.0.0.80", "fd00::80"), firewall.Rules{Path: "network.allow", Allow: []schema.Rule{
		{In: &schema.Match{TCP: []schema.Ports{{From: 80, To: 80}}}},
		{Out: &schema.Match{ICMP: schema.List{"echo-request"}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	wall, err := compiled.Compile(policy, "sbxprobe")
	if err != nil {
		t.Fatal(err)
	}
	used, err := convert(wall)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range kinds(used) {
		if !asked[k] {
			t.Errorf("no kernel is asked for %s", k)
		}
	}
}

// kinds tells apart what kernels can be without.
func kinds(t *table) (out []string) {
	for _, c := range t.chains {
		for _, r := range c.rules {
			for _, e := range r {
				switch e := e.(type) {
				case *expr.Meta:
					out = append(out, fmt.Sprintf("meta %d", e.Key))
				case *expr.Ct:
					out = append(out, fmt.Sprintf("ct %d", e.Key))
				case *expr.Payload:
					out = append(out, fmt.Sprintf("payload %d", e.Base))
				case *expr.Verdict:
					out = append(out, fmt.Sprintf("verdict %d", e.Kind))
				default:
					out = append(out, fmt.Sprintf("%T", e))
				}
			}
		}
	}
	return out
}
