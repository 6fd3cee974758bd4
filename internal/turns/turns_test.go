package turns

import (
	"flag"
	"testing"
)

// Ratio measures both as often, neither always first, and compares what was measured in
// the same round; as often as the benchmark is to run, and not too seldom.
func TestRatio(t *testing.T) {
	for runs, rounds := range map[string]float64{"1x": fewest, "40x": 40} {
		t.Run(runs, func(t *testing.T) {
			took := flag.Lookup("test.benchtime").Value
			defer took.Set(took.String())
			took.Set(runs) // by itself, it would be a second of rounds that take no time: millions
			testRatio(t, rounds)
		})
	}
}

func testRatio(t *testing.T, rounds float64) {
	var order string
	var n float64
	result := testing.Benchmark(func(b *testing.B) {
		order, n = "", 0
		Ratio(b,
			Side{"ours", func() float64 { order += "o"; n++; return n * 6 }},
			Side{"others", func() float64 { order += "t"; return 2 }}, Goal{AtMost: 7})
	})
	if n != rounds || order[:8] != "ottootto" {
		t.Errorf("they are measured in the order %s, %v times", order, n)
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
