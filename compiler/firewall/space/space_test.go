package space

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// The walk over regions is checked against a walk over points, with every
// verdict and chains.
func TestPartitionAgreesWithPoints(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	universe := Box{}
	dims := []int{DimState, DimSrc, DimDstPort}
	for _, d := range dims {
		universe[d] = Span(0, 4)
	}
	for range 20000 {
		var clauses []Clause
		for list := range 2 {
			first := len(clauses)
			for range r.IntN(6) {
				b := Everything()
				for _, d := range dims {
					if low := r.Uint64N(5); r.IntN(3) > 0 {
						b[d] = Span(low, low+r.Uint64N(5-low))
					}
				}
				clauses = append(clauses, Clause{Box: b, List: list, Verdict: Verdict(r.IntN(3)), Chain: r.IntN(3), Rule: len(clauses)})
			}
			of := clauses[first:]
			slices.SortStableFunc(of, func(a, b Clause) int { return a.Chain - b.Chain })
		}
		seen := map[Point]bool{}
		err := Partition(universe, clauses, func(reg *Region, matching []int32) error {
			return eachPoint(reg, func(p Point) error {
				if seen[p] {
					return fmt.Errorf("point %v lies in two regions", p)
				}
				seen[p] = true
				rest := matching
				for list := range 2 {
					var of []int32
					of, rest = FirstOf(clauses, rest, list)
					if got, want := ruleOf(Decide(clauses, of)), walk(clauses, list, &p); got != want {
						return fmt.Errorf("at %v list %d is decided by %d, want %d", p, list, got, want)
					}
				}
				return nil
			})
		})
		if err != nil || len(seen) != 125 {
			t.Fatalf("%v; %d points seen, want 125; clauses %+v", err, len(seen), clauses)
		}
	}
}

func eachPoint(r *Region, f func(Point) error) error {
	for _, state := range r[DimState] {
		for a := state.Low.Lo; a <= state.High.Lo; a++ {
			for _, src := range r[DimSrc] {
				for b := src.Low.Lo; b <= src.High.Lo; b++ {
					for _, port := range r[DimDstPort] {
						for c := port.Low.Lo; c <= port.High.Lo; c++ {
							p := Point{DimState: Number(a), DimSrc: Number(b), DimDstPort: Number(c)}
							if err := f(p); err != nil {
								return err
							}
						}
					}
				}
			}
		}
	}
	return nil
}

// walk goes through the clauses as a kernel would.
func walk(clauses []Clause, list int, p *Point) int {
	left := map[int]bool{}
	for _, c := range clauses {
		if c.List != list || left[c.Chain] || !c.Box.Has(p) {
			continue
		}
		if c.Verdict == Leave && c.Chain != 0 {
			left[c.Chain] = true
			continue
		}
		return c.Rule
	}
	return -1
}

func ruleOf(c *Clause) int {
	if c == nil {
		return -1
	}
	return c.Rule
}
