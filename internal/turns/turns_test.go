package turns

import "testing"

// Ratio measures both as often, neither always first, and compares what was measured in
// the same round.
func TestRatio(t *testing.T) {
	var order string
	var n float64
	result := testing.Benchmark(func(b *testing.B) {
		order, n = "", 0
		Ratio(b,
			Side{"ours", func() float64 { order += "o"; n++; return n * 6 }},
			Side{"others", func() float64 { order += "t"; return 2 }}, Goal{AtMost: 7})
	})
	if len(order) < 2*fewest || order[:8] != "ottootto" {
		t.Errorf("they are measured in the order %s", order)
	}
	for unit, want := range map[string]float64{Rounds: n, AtMost: 7, Least: 3, Most: 3 * n, "others": 2} {
		if got := result.Extra[unit]; got != want {
			t.Errorf("%s is %v, want %v", unit, got, want)
		}
	}
	if middle := result.Extra[Median]; middle <= 3 || middle >= 3*n {
		t.Errorf("the median of ratios from 3 to %v is %v", 3*n, middle)
	}
	if _, ok := result.Extra[AtLeast]; ok {
		t.Error("there is a bound that is none")
	}
}
