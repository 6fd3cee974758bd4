// Package turns measures two things one after the other, again and again, for
// benchmarks: what slows a machine down slows both, so that their ratio says something
// where the seconds of either say little.
package turns

import (
	"slices"
	"testing"
	"time"
)

// Side is one of the two.
type Side struct {
	Unit    string         // what it is and in what it is measured: "sbx-ms"
	Measure func() float64 // measures it once
}

// Goal is what a ratio is to be; zero is no bound.
type Goal struct{ AtMost, AtLeast float64 }

// The units of what Ratio reports, which internal/bench reads.
const (
	Median  = "ratio"
	Least   = "least-ratio"
	Most    = "most-ratio"
	Rounds  = "rounds"
	AtMost  = "goal-at-most"
	AtLeast = "goal-at-least"
)

// fewest is how many rounds there are at least.
const fewest = 11

// Ratio measures both in turns, as often as the benchmark is to run and eleven times at
// least, and reports the median of ours/other of each round with the smallest and the
// largest, and the medians of both.
func Ratio(b *testing.B, ours, other Side, goal Goal) {
	b.Helper()
	var own, others, ratios []float64
	for more := b.Loop(); more || len(ratios) < fewest; more = more && b.Loop() {
		var o, t float64
		if len(ratios)%2 == 0 {
			o, t = ours.Measure(), other.Measure()
		} else {
			t, o = other.Measure(), ours.Measure()
		}
		own, others, ratios = append(own, o), append(others, t), append(ratios, o/t)
	}
	b.ReportMetric(0, "ns/op") // a round of both says nothing
	b.ReportMetric(median(ratios), Median)
	b.ReportMetric(ratios[0], Least) // median has sorted them
	b.ReportMetric(ratios[len(ratios)-1], Most)
	b.ReportMetric(float64(len(ratios)), Rounds)
	b.ReportMetric(median(own), ours.Unit)
	b.ReportMetric(median(others), other.Unit)
	if goal.AtMost > 0 {
		b.ReportMetric(goal.AtMost, AtMost)
	}
	if goal.AtLeast > 0 {
		b.ReportMetric(goal.AtLeast, AtLeast)
	}
}

// median sorts all.
func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}

// Milliseconds measures how long something takes.
func Milliseconds(do func()) func() float64 {
	return func() float64 {
		began := time.Now()
		do()
		return time.Since(began).Seconds() * 1000
	}
}
