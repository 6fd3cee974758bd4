package nwfilter

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/compiler/firewall/space"
	"github.com/sbx-dev/sbx/internal/randompolicy"
	"github.com/sbx-dev/sbx/schema"
)

// manyRules draws rules with remotes of every size, so that they overlap as
// grown lists do: a tenth of all are wide ranges that cross each other.
func manyRules(r *rand.Rand, n int) firewall.Rules {
	rules := make([]schema.Rule, n)
	for i := range rules {
		low := uint16(1 + r.IntN(60000))
		match := &schema.Match{TCP: []schema.Ports{{From: low, To: low + uint16(r.IntN(200))}}}
		remote := fmt.Sprintf("10.%d.%d.0/24", r.IntN(256), r.IntN(256))
		if r.IntN(10) == 0 {
			from, to := r.Uint32(), r.Uint32()
			from, to = min(from, to), max(from, to)
			remote = fmt.Sprintf("%s-%s", space.Number(uint64(from)).Address(false), space.Number(uint64(to)).Address(false))
		}
		if rules[i] = (schema.Rule{In: match, From: []string{remote}}); r.IntN(2) == 0 {
			rules[i] = schema.Rule{Out: match, To: []string{remote}}
		}
	}
	return allow(rules...)
}

func manyPolicies(b *testing.B, n int) (before, after *firewall.Policy) {
	b.Helper()
	r := rand.New(rand.NewPCG(11, uint64(n)))
	rules := manyRules(r, n)
	before, err := firewall.Resolve(randompolicy.NIC("10.0.0.80"), rules)
	if err != nil {
		b.Fatal(err)
	}
	// A tenth of the rules change.
	changed := manyRules(r, n/10)
	for _, rule := range changed.Allow {
		rules.Allow[r.IntN(n)] = rule
	}
	after, err = firewall.Resolve(randompolicy.NIC("10.0.0.80"), rules)
	if err != nil {
		b.Fatal(err)
	}
	return before, after
}

func BenchmarkCompare(b *testing.B) {
	for _, n := range []int{500, 5000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			before, after := manyPolicies(b, n)
			b.ReportAllocs()
			for b.Loop() {
				firewall.Compare(before, after)
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	for _, n := range []int{25, 250} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			rules := manyRules(rand.New(rand.NewPCG(13, uint64(n))), n)
			for b.Loop() {
				if _, err := Compile(randompolicy.NIC("10.0.0.80"), rules); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkWarnings(b *testing.B) {
	for _, n := range []int{500, 5000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			before, _ := manyPolicies(b, n)
			for b.Loop() {
				before.Warnings()
			}
		})
	}
}
