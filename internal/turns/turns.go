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
// least, and reports them.
func Ratio(b *testing.B, ours, other Side, goal Goal) {
	b.Helper()
	var r Record
	for more := b.Loop(); more || len(r.ratios) < fewest; more = more && b.Loop() {
		var o, t float64
		if len(r.ratios)%2 == 0 {
			o, t = ours.Measure(), other.Measure()
		} else {
			t, o = other.Measure(), ours.Measure()
		}
		r.Add(o, t)
	}
	r.Report(b, ours.Unit, other.Unit, goal)
}

// Record is what was measured in some rounds.
type Record struct{ ours, others, ratios []float64 }

// Add adds a round.
func (r *Record) Add(ours, other float64) {
	r.ours, r.others, r.ratios = append(r.ours, ours), append(r.others, other), append(r.ratios, ours/other)
}

// Report reports the median of the rounds' ratios with the smallest and the largest, and
// the medians of both by their units.
func (r *Record) Report(b *testing.B, ours, other string, goal Goal) {
	b.Helper()
	b.ReportMetric(0, "ns/op") // a round of both says nothing
	b.ReportMetric(median(r.ratios), Median)
	b.ReportMetric(slices.Min(r.ratios), Least)
	b.ReportMetric(slices.Max(r.ratios), Most)
	b.ReportMetric(float64(len(r.ratios)), Rounds)
	b.ReportMetric(median(r.ours), ours)
	b.ReportMetric(median(r.others), other)
	if goal.AtMost > 0 {
		b.ReportMetric(goal.AtMost, AtMost)
	}
	if goal.AtLeast > 0 {
		b.ReportMetric(goal.AtLeast, AtLeast)
	}
}

// median is the middle of what was measured, the larger one of two.
func median(all []float64) float64 { return slices.Sorted(slices.Values(all))[len(all)/2] }

// Milliseconds measures how long something takes.
func Milliseconds(do func()) func() float64 {
	return func() float64 {
		began := time.Now()
		do()
		return time.Since(began).Seconds() * 1000
	}
}
