package firewall

import (
	"cmp"
	"math/bits"
	"slices"

	"github.com/sbx-dev/sbx/compiler/firewall/space"
)

// grid is the plane of a topic, of remote addresses and services, seen one strip at
// a time. Between two addresses at which a rule begins or ends lies a strip, in
// which only the services count. Those are kept as elementary ranges (cells), each
// with the rule that owns it: the first of a list that covers it. A strip costs
// what changed since the one before, and not what all of its rules cover.
type grid struct {
	clauses []space.Clause // of two lists
	cells   []uint64       // where each cell begins; the last is the end
	spans   [][2]int       // by clause: the cells that it covers, the end excluded
	active  [2][]int32     // by list: the rules of the current strip, ascending
	owner   [2][]int32     // by list and cell: the rule that owns it, or nobody
	stale   [2]bitSet      // by list: the cells whose owner may have changed
	near    [2][2]int      // by list: where the first and behind the last of those are
}

// nobody owns a cell that is not to be owned, or that no rule covers.
const nobody = -1

// newGrid cuts the services where any rule begins or ends.
func newGrid(clauses []space.Clause) grid {
	g := grid{clauses: clauses, cells: []uint64{0, 1 << 16}}
	for i := range clauses {
		b := clauses[i].Box[space.DimDstPort]
		g.cells = append(g.cells, b.Low.Lo, b.High.Lo+1)
	}
	slices.Sort(g.cells)
	g.cells = slices.Compact(g.cells)
	at := func(service uint64) int {
		n, _ := slices.BinarySearch(g.cells, service)
		return n
	}
	for i := range clauses {
		b := clauses[i].Box[space.DimDstPort]
		g.spans = append(g.spans, [2]int{at(b.Low.Lo), at(b.High.Lo + 1)})
	}
	n := len(g.cells) - 1
	for l := range g.stale {
		g.stale[l] = newBitSet(n)
		g.owner[l] = slices.Repeat([]int32{nobody}, n)
	}
	return g
}

// walk visits the strips in the order of their first addresses, after it has
// flipped the rules that begin or end there.
func (g *grid) walk(flip func(i int32), strip func(at space.Value)) {
	var edges []space.Edge
	for i := range g.clauses {
		bounds := g.clauses[i].Box[space.DimSrc]
		edges = append(edges, space.Edge{At: bounds.Low, Clause: int32(i)})
		if next, ok := bounds.High.Next(); ok {
			edges = append(edges, space.Edge{At: next, Clause: int32(i)})
		}
	}
	slices.SortFunc(edges, func(a, b space.Edge) int { return a.At.Compare(b.At) })
	for n := 0; n < len(edges); {
		at := edges[n].At
		for ; n < len(edges) && edges[n].At == at; n++ {
			flip(edges[n].Clause)
		}
		strip(at)
	}
}

// flip lets a rule begin, or end, and says which.
func (g *grid) flip(i int32) (begins bool) {
	list := g.clauses[i].List
	n, in := slices.BinarySearch(g.active[list], i)
	if in {
		g.active[list] = slices.Delete(g.active[list], n, n+1)
	} else {
		g.active[list] = slices.Insert(g.active[list], n, i)
	}
	for c := g.spans[i][0]; c < g.spans[i][1]; c++ {
		g.touch(list, c)
	}
	return !in
}

// touch makes a cell stale.
func (g *grid) touch(l, c int) {
	g.stale[l].add(c)
	near := &g.near[l]
	if near[1] == 0 {
		near[0] = c
	}
	near[0], near[1] = min(near[0], c), max(near[1], c+1)
}

// share gives each stale cell of a list to the first rule that covers it, and to
// nobody where it is not wanted. It tells of each that changes hands.
func (g *grid) share(l int, wanted func(c int) bool, moved func(c int, from, to int32)) {
	give := func(c int, to int32) {
		if from := g.owner[l][c]; from != to {
			g.owner[l][c] = to
			moved(c, from, to)
		}
	}
	left := 0
	low, high := g.near[l][0], g.near[l][1]
	g.near[l] = [2]int{}
	g.stale[l].each(low, high, func(c int) {
		if wanted(c) {
			left++
			return
		}
		g.stale[l].remove(c)
		give(c, nobody)
	})
	for _, i := range g.active[l] {
		if left == 0 {
			return
		}
		g.stale[l].each(max(g.spans[i][0], low), min(g.spans[i][1], high), func(c int) {
			g.stale[l].remove(c)
			give(c, i)
			left--
		})
	}
	g.stale[l].each(low, high, func(c int) {
		g.stale[l].remove(c)
		give(c, nobody)
	})
}

// strips compares the two lists of one topic by walking over the remote
// addresses. A rule owns a cell only where the other list does not cover it.
type strips struct {
	grid
	topic   topic
	count   [2][]int32 // by list and cell: how many rules cover it
	only    [2]bitSet  // by list: the cells that it alone covers
	moved   []int32    // rules that have gained or lost a cell
	isMoved []bool     // by clause: it is one of those
	open    map[int32]*patch
	done    [2][]*patch
}

// patch is what one rule admits beyond the other list, in neighbouring strips.
type patch struct {
	rule     int
	ports    space.Interval // of the rule's list, in which services lie
	services []space.Interval
	from     space.Value // the first address
	to       space.Value // the last
}

// compareTopic gives the patches of each list that the other does not cover.
func compareTopic(t topic, clauses []space.Clause) [2][]*patch {
	s := &strips{grid: newGrid(clauses), topic: t, isMoved: make([]bool, len(clauses)), open: map[int32]*patch{}}
	n := len(s.cells) - 1
	for l := range s.count {
		s.count[l], s.only[l] = make([]int32, n), newBitSet(n)
	}
	s.walk(s.flip, s.strip)
	for _, p := range s.open { // of rules that reach to the last address there is
		p.to = t.universe()[space.DimSrc].High
	}
	for l := range s.done {
		slices.SortFunc(s.done[l], func(p, q *patch) int {
			return cmp.Or(cmp.Compare(p.rule, q.rule), p.from.Compare(q.from), p.services[0].Low.Compare(q.services[0].Low))
		})
	}
	return s.done
}

// flip lets a rule begin, or end.
func (s *strips) flip(i int32) {
	list, by := s.clauses[i].List, int32(-1)
	if s.grid.flip(i) {
		by = 1
	}
	count := s.count[list]
	for c := s.spans[i][0]; c < s.spans[i][1]; c++ {
		was := count[c]
		count[c] += by
		if was == 0 || count[c] == 0 {
			s.settle(c)
		}
	}
}

// settle finds out which list alone covers a cell.
func (s *strips) settle(c int) {
	for l := range s.only {
		s.touch(l, c)
		if s.count[l][c] > 0 && s.count[1-l][c] == 0 {
			s.only[l].add(c)
		} else {
			s.only[l].remove(c)
		}
	}
}

// strip gives the stale cells to their new owners, and ends and begins the
// patches of the rules that this concerns.
func (s *strips) strip(at space.Value) {
	for l := range s.stale {
		s.share(l)
	}
	for _, i := range s.moved {
		s.isMoved[i] = false
		list := s.clauses[i].List
		if p := s.open[i]; p != nil {
			p.to = space.Before(at)
			delete(s.open, i)
		}
		if services := s.owned(list, i); services != nil {
			p := &patch{rule: s.clauses[i].Rule, ports: s.clauses[i].Box[space.DimDstPort], services: services, from: at}
			s.open[i] = p
			s.done[list] = append(s.done[list], p)
		}
	}
	s.moved = s.moved[:0]
}

// share gives the stale cells of a list to their owners, and notes who they are.
func (s *strips) share(l int) {
	s.grid.share(l, s.only[l].has, func(_ int, from, to int32) {
		for _, rule := range []int32{from, to} {
			if rule != nobody && !s.isMoved[rule] {
				s.isMoved[rule] = true
				s.moved = append(s.moved, rule)
			}
		}
	})
}

// owned are the services of the cells that a rule owns.
func (s *strips) owned(l int, i int32) (services []space.Interval) {
	owner := s.owner[l]
	for c := s.spans[i][0]; c < s.spans[i][1]; c++ {
		if owner[c] != i {
			continue
		}
		first := c
		for c+1 < s.spans[i][1] && owner[c+1] == i {
			c++
		}
		services = append(services, space.Span(s.cells[first], s.cells[c+1]-1))
	}
	return services
}

// bitSet is a set of small numbers.
type bitSet []uint64

func newBitSet(n int) bitSet { return make(bitSet, n/64+1) }

func (b bitSet) add(n int)      { b[n/64] |= 1 << (n % 64) }
func (b bitSet) remove(n int)   { b[n/64] &^= 1 << (n % 64) }
func (b bitSet) has(n int) bool { return b[n/64]>>(n%64)&1 == 1 }

// each visits the members from from up to to, which is excluded, in order. The
// one that it visits may be removed meanwhile.
func (b bitSet) each(from, to int, visit func(int)) {
	for n := from; n < to; n++ {
		word := b[n/64] >> (n % 64)
		if word == 0 {
			n |= 63
			continue
		}
		if n += bits.TrailingZeros64(word); n < to {
			visit(n)
		}
	}
}
