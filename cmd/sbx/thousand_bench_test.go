package main

import (
	"testing"

	"github.com/sbx-dev/sbx/internal/turns"
)

// BenchmarkThousand vets a thousand profiles and plans them, in turns with a hundred: the
// time for each must not grow with their number. Each time the profiles are new to sbx,
// so that nothing of them is remembered.
func BenchmarkThousand(b *testing.B) {
	sbx := benchedSbx(b)
	each := func(b *testing.B, verb string, count int) float64 {
		folder := waitingProfiles(b, count)
		return turns.Milliseconds(func() { output(b, sbx, verb, folder+"/...") })() / float64(count)
	}
	for _, verb := range []string{"vet", "plan"} {
		b.Run(verb, func(b *testing.B) {
			var r turns.Record
			for rounds, more := 0, b.Loop(); more || rounds < 3; rounds, more = rounds+1, more && b.Loop() {
				r.Add(each(b, verb, 1000), each(b, verb, 100))
			}
			r.Report(b, "of-1000-ms", "of-100-ms", turns.Goal{AtMost: 1.1})
		})
	}
}
