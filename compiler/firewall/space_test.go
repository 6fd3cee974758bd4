package firewall

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
	universe := box{}
	dims := []int{dState, dSrc, dDstPort}
	for _, d := range dims {
		universe[d] = span(0, 4)
	}
	for range 20000 {
		var clauses []clause
		for list := range 2 {
			first := len(clauses)
			for range r.IntN(6) {
				b := everything()
				for _, d := range dims {
					if low := r.Uint64N(5); r.IntN(3) > 0 {
						b[d] = span(low, low+r.Uint64N(5-low))
					}
				}
				clauses = append(clauses, clause{box: b, list: list, verdict: verdict(r.IntN(3)), chain: r.IntN(3), rule: len(clauses)})
			}
			of := clauses[first:]
			slices.SortStableFunc(of, func(a, b clause) int { return a.chain - b.chain })
		}
		seen := map[point]bool{}
		err := partition(universe, clauses, func(reg *region, matching []int32) error {
			return eachPoint(reg, func(p point) error {
				if seen[p] {
					return fmt.Errorf("point %v lies in two regions", p)
				}
				seen[p] = true
				rest := matching
				for list := range 2 {
					var of []int32
					of, rest = firstList(clauses, rest, list)
					if got, want := ruleOf(decide(clauses, of)), walk(clauses, list, &p); got != want {
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

func eachPoint(r *region, f func(point) error) error {
	for _, state := range r[dState] {
		for a := state.low.lo; a <= state.high.lo; a++ {
			for _, src := range r[dSrc] {
				for b := src.low.lo; b <= src.high.lo; b++ {
					for _, port := range r[dDstPort] {
						for c := port.low.lo; c <= port.high.lo; c++ {
							p := point{dState: number(a), dSrc: number(b), dDstPort: number(c)}
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
func walk(clauses []clause, list int, p *point) int {
	left := map[int]bool{}
	for _, c := range clauses {
		if c.list != list || left[c.chain] || !c.box.has(p) {
			continue
		}
		if c.verdict == leave && c.chain != 0 {
			left[c.chain] = true
			continue
		}
		return c.rule
	}
	return -1
}

func ruleOf(c *clause) int {
	if c == nil {
		return -1
	}
	return c.rule
}
