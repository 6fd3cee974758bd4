package firewall

import (
	"math"
	"slices"
)

// region is a part of a space, as a product of unions of intervals.
type region [numDims][]interval

// corner is one point of the region.
func (r *region) corner() (p point) {
	for d := range p {
		p[d] = r[d][0].low
	}
	return p
}

// partition cuts the space that the universe bounds into regions in which the
// same clauses match, and visits each with those clauses, in ascending order.
// Clauses that stand behind a final one that covers the region are left out. The
// regions cover the universe and do not overlap. It stops at the first error.
func partition(universe box, clauses []clause, visit func(*region, []int32) error) error {
	s := sweep{clauses: slices.Clone(clauses), universe: universe, visit: visit, open: make([]int, len(clauses))}
	active := make([]int32, len(clauses))
	for i := range s.clauses {
		active[i] = int32(i)
		for d := range numDims {
			if b := &s.clauses[i].box[d]; b.covers(universe[d]) {
				*b = full
			} else {
				s.open[i] = d + 1
			}
		}
	}
	return s.cut(0, active)
}

type sweep struct {
	clauses  []clause
	universe box
	visit    func(*region, []int32) error
	open     []int // by clause: from which dimension on it has no more bounds
	region   region
}

// cut partitions along dimension d and those behind it.
func (s *sweep) cut(d int, active []int32) error {
	active = s.prune(d, active)
	if d == numDims {
		return s.visit(&s.region, active)
	}
	for _, g := range s.split(d, active) {
		s.region[d] = g.intervals
		if err := s.cut(d+1, g.active); err != nil {
			return err
		}
	}
	return nil
}

// prune leaves out the clauses that a final one of the same list hides, however
// the dimensions from d on are cut. A final clause of a chain hides nothing when
// a return in front of it may skip it.
func (s *sweep) prune(d int, active []int32) []int32 {
	out, hidden := active[:0:0], -1
	list, left := -1, 0
	for n, i := range active {
		c := &s.clauses[i]
		if c.list != list {
			list, left = c.list, 0
		}
		if !c.final() {
			left = c.chain
		}
		if c.list == hidden {
			if out == nil {
				out = append(out, active[:n]...)
			}
			continue
		}
		if out != nil {
			out = append(out, i)
		}
		if s.open[i] <= d && c.final() && (c.chain == 0 || c.chain != left) {
			hidden = c.list
		}
	}
	if out == nil {
		return active
	}
	return out
}

// group is all the intervals of a dimension in which the same clauses match.
type group struct {
	intervals []interval
	active    []int32
}

// edge is where a clause begins or ends to match.
type edge struct {
	at     value
	clause int32
}

// split groups the elementary intervals of dimension d. Where a clause is open
// there is nothing to cut, which is the common case.
func (s *sweep) split(d int, active []int32) []group {
	var edges []edge
	var open []int32
	for _, i := range active {
		bounds := &s.clauses[i].box[d]
		if *bounds == full {
			open = append(open, i)
			continue
		}
		edges = append(edges, edge{bounds.low, i})
		if next, ok := bounds.high.next(); ok {
			edges = append(edges, edge{next, i})
		}
	}
	universe := s.universe[d]
	if len(edges) == 0 {
		return []group{{[]interval{universe}, active}}
	}
	slices.SortFunc(edges, func(a, b edge) int { return a.at.compare(b.at) })
	g := grouping{current: open, byHash: map[uint64][]int{}}
	from := universe.low
	for n := 0; n < len(edges) && edges[n].at.compare(universe.high) <= 0; {
		at := edges[n].at
		if from.compare(at) < 0 {
			g.add(interval{from, before(at)})
			from = at
		}
		for ; n < len(edges) && edges[n].at == at; n++ {
			g.flip(edges[n].clause)
		}
	}
	g.add(interval{from, universe.high})
	return g.groups
}

// before is v−1; v is not zero.
func before(v value) value {
	if v.lo > 0 {
		return value{v.hi, v.lo - 1}
	}
	return value{v.hi - 1, math.MaxUint64}
}

// grouping collects intervals by the set of clauses that match in them.
type grouping struct {
	current []int32 // the set at the current place, ascending
	hash    uint64  // of it
	byHash  map[uint64][]int
	groups  []group
}

// flip puts a clause into the current set, or takes it out.
func (g *grouping) flip(i int32) {
	g.hash ^= mix(uint64(i))
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
func (g *grouping) add(i interval) {
	for _, n := range g.byHash[g.hash] {
		if slices.Equal(g.groups[n].active, g.current) {
			g.groups[n].intervals = append(g.groups[n].intervals, i)
			return
		}
	}
	g.byHash[g.hash] = append(g.byHash[g.hash], len(g.groups))
	g.groups = append(g.groups, group{[]interval{i}, slices.Clone(g.current)})
}
