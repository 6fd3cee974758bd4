package space

import (
	"errors"
	"math"
	"slices"
)

// Region is a part of a space, as a product of unions of intervals.
type Region [numDims][]Interval

// Corner is one point of the region.
func (r *Region) Corner() (p Point) {
	for d := range p {
		p[d] = r[d][0].Low
	}
	return p
}

// Partition cuts the space that the universe bounds into regions in which the
// same clauses match, and visits each with those clauses, in ascending order.
// Clauses that stand behind a final one that covers the region are left out. The
// regions cover the universe and do not overlap. It stops at the first error.
func Partition(universe Box, clauses []Clause, visit func(*Region, []int32) error) error {
	s := newSweep(universe, clauses, visit)
	active := make([]int32, len(clauses))
	for i := range active {
		active[i] = int32(i)
	}
	return s.cut(0, s.prune(0, active))
}

// PartitionVerdicts is partition for lists of which only the verdicts count. It
// does not tell regions apart where, in each list, the same clauses or some that
// come to the same decide; for those that do, one clause of no rule stands. So
// the rules of one port each for what comes in and for what goes out do not make
// a region for each pair of them.
func PartitionVerdicts(universe Box, lists [][]Clause, visit func(clauses []Clause, r *Region, matching []int32) error) error {
	var all []Clause
	var active []int32
	var settled [][2]int32
	for list, clauses := range lists {
		n := int32(len(all))
		settled = append(settled, [2]int32{n, n + 1})
		all = append(all, Clause{Box: Everything(), List: list, Verdict: Drop}, Clause{Box: Everything(), List: list, Verdict: Accept})
		for _, c := range clauses {
			active = append(active, int32(len(all)))
			c.List = list
			all = append(all, c)
		}
	}
	s := newSweep(universe, all, func(r *Region, matching []int32) error { return visit(all, r, matching) })
	s.settled = settled
	return s.cut(0, s.prune(0, active))
}

// maxWork bounds one partition, to some ten seconds: the regions are as many as
// the product of the places at which rules begin and end in each dimension.
const maxWork = 500_000_000

// ErrOverlaps stops a partition of too many regions.
var ErrOverlaps = errors.New("the rules overlap in too many ways")

type sweep struct {
	clauses  []Clause
	universe Box
	visit    func(*Region, []int32) error
	open     []int // by clause: from which dimension on it has no more bounds
	region   Region
	work     int        // how many clauses were looked at
	settled  [][2]int32 // by list: what stands for clauses that all drop, or all accept; nil where it counts which one decides
}

func newSweep(universe Box, clauses []Clause, visit func(*Region, []int32) error) *sweep {
	s := &sweep{clauses: slices.Clone(clauses), universe: universe, visit: visit, open: make([]int, len(clauses))}
	for i := range s.clauses {
		for d := range numDims {
			if b := &s.clauses[i].Box[d]; b.covers(universe[d]) {
				*b = Full
			} else {
				s.open[i] = d + 1
			}
		}
	}
	return s
}

// cut partitions along dimension d and those behind it.
func (s *sweep) cut(d int, active []int32) error {
	if d == numDims {
		return s.visit(&s.region, active)
	}
	groups := s.split(d, active)
	if s.work > maxWork {
		return ErrOverlaps
	}
	for _, g := range groups {
		s.region[d] = g.intervals
		if err := s.cut(d+1, g.active); err != nil {
			return err
		}
	}
	return nil
}

// prune leaves out the clauses that decide nothing, however the dimensions from d
// on are cut.
func (s *sweep) prune(d int, active []int32) []int32 {
	var out []int32 // nil as long as nothing was left out
	for n := 0; n < len(active); {
		list := s.clauses[active[n]].List
		end := n + 1
		for end < len(active) && s.clauses[active[end]].List == list {
			end++
		}
		run := active[n:end]
		left := s.deciding(d, run)
		if len(left) < len(run) && out == nil {
			out = append(make([]int32, 0, len(active)), active[:n]...)
		}
		if out != nil {
			out = append(out, left...)
		}
		n = end
	}
	if out == nil {
		return active
	}
	return out
}

// deciding gives those of a list's clauses that may decide. One that covers the
// region hides all behind it; where those in front of it come to the same, the
// list is settled. A final clause of a chain hides nothing when a return in front
// of it may skip it.
func (s *sweep) deciding(d int, run []int32) []int32 {
	left, alike := 0, true
	first := &s.clauses[run[0]]
	for n, i := range run {
		c := &s.clauses[i]
		alike = alike && c.Chain == 0 && (c.Verdict == Drop) == (first.Verdict == Drop)
		if !c.final() {
			left = c.Chain
		}
		if s.open[i] > d || !c.final() || c.Chain != 0 && c.Chain == left {
			continue
		}
		if !alike || s.settled == nil {
			return run[:n+1]
		}
		if c.Verdict == Drop {
			return s.settled[c.List][:1]
		}
		return s.settled[c.List][1:]
	}
	return run
}

// group is all the intervals of a dimension in which the same clauses match.
type group struct {
	intervals []Interval
	active    []int32
}

// Edge is where a clause begins or ends to match.
type Edge struct {
	At     Value
	Clause int32
}

// split groups the elementary intervals of dimension d. Where a clause is open
// there is nothing to cut, which is the common case.
func (s *sweep) split(d int, active []int32) []group {
	var edges []Edge
	var open []int32
	for _, i := range active {
		bounds := &s.clauses[i].Box[d]
		if *bounds == Full {
			open = append(open, i)
			continue
		}
		edges = append(edges, Edge{bounds.Low, i})
		if next, ok := bounds.High.Next(); ok {
			edges = append(edges, Edge{next, i})
		}
	}
	universe := s.universe[d]
	prune := func(active []int32) []int32 {
		s.work += len(active)
		return s.prune(d+1, active)
	}
	if len(edges) == 0 {
		return []group{{[]Interval{universe}, prune(active)}}
	}
	slices.SortFunc(edges, func(a, b Edge) int { return a.At.Compare(b.At) })
	g := grouping{current: open, prune: prune, byHash: map[uint64][]int{}}
	from := universe.Low
	for n := 0; n < len(edges) && edges[n].At.Compare(universe.High) <= 0; {
		at := edges[n].At
		if from.Compare(at) < 0 {
			g.add(Interval{from, Before(at)})
			from = at
		}
		for ; n < len(edges) && edges[n].At == at; n++ {
			g.flip(edges[n].Clause)
		}
	}
	g.add(Interval{from, universe.High})
	return g.groups
}

// Before is v−1; v is not zero.
func Before(v Value) Value {
	if v.Lo > 0 {
		return Value{v.hi, v.Lo - 1}
	}
	return Value{v.hi - 1, math.MaxUint64}
}

// grouping collects intervals by the clauses that decide in them.
type grouping struct {
	current []int32 // those that match at the current place, ascending
	prune   func([]int32) []int32
	byHash  map[uint64][]int
	groups  []group
}

// flip puts a clause into the current set, or takes it out.
func (g *grouping) flip(i int32) {
	n, in := slices.BinarySearch(g.current, i)
	if in {
		g.current = slices.Delete(g.current, n, n+1)
		return
	}
	g.current = slices.Insert(g.current, n, i)
}

// mix spreads n over 64 bits (the finalizer of splitmix64).
func mix(n uint64) uint64 {
	n += 0x9e3779b97f4a7c15
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return n ^ n>>31
}

// add puts the interval to the group of the current set. Equal hashes are
// checked, so that a collision cannot make two different sets one.
func (g *grouping) add(i Interval) {
	active := g.prune(g.current)
	var hash uint64
	for _, c := range active {
		hash ^= mix(uint64(c))
	}
	for _, n := range g.byHash[hash] {
		if slices.Equal(g.groups[n].active, active) {
			g.groups[n].intervals = append(g.groups[n].intervals, i)
			return
		}
	}
	g.byHash[hash] = append(g.byHash[hash], len(g.groups))
	g.groups = append(g.groups, group{[]Interval{i}, slices.Clone(active)})
}

// FirstOf cuts the clauses of a list off the front.
func FirstOf(all []Clause, matching []int32, list int) (of, rest []int32) {
	n := 0
	for n < len(matching) && all[matching[n]].List == list {
		n++
	}
	return matching[:n], matching[n:]
}
