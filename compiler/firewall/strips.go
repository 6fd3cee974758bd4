package firewall

import (
	"cmp"
	"math/bits"
	"slices"
)

// strips compares the two lists of one topic by walking over the remote
// addresses. Between two addresses at which a rule begins or ends lies a strip,
// in which only the services count. Those are kept as elementary ranges (cells),
// each with the rule that owns it: the first of a list that covers it, where the
// other list does not. A strip costs what changed since the one before, and not
// what all of its rules cover.
type strips struct {
	topic   topic
	clauses []clause
	cells   []uint64   // where each cell begins; the last is the end
	spans   [][2]int   // by clause: the cells that it covers, the end excluded
	count   [2][]int32 // by list and cell: how many rules cover it
	only    [2]bitSet  // by list: the cells that it alone covers
	active  [2][]int32 // by list: the rules of the current strip, ascending
	owner   [2][]int32 // by list and cell: the rule that owns it, or nobody
	stale   [2]bitSet  // by list: the cells whose owner may have changed
	near    [2][2]int  // by list: where the first and behind the last of those are
	moved   []int32    // rules that have gained or lost a cell
	isMoved []bool     // by clause: it is one of those
	open    map[int32]*patch
	done    [2][]*patch
}

// nobody owns what both lists cover, or neither.
const nobody = -1

// patch is what one rule admits beyond the other list, in neighbouring strips.
type patch struct {
	rule     int
	services []interval
	from     value // the first address
	to       value // the last
}

// compareTopic gives the patches of each list that the other does not cover.
func compareTopic(t topic, clauses []clause) [2][]*patch {
	s := &strips{topic: t, clauses: clauses, isMoved: make([]bool, len(clauses)), open: map[int32]*patch{}}
	s.makeCells()
	var edges []edge
	for i := range clauses {
		bounds := clauses[i].box[dSrc]
		edges = append(edges, edge{bounds.low, int32(i)})
		if next, ok := bounds.high.next(); ok {
			edges = append(edges, edge{next, int32(i)})
		}
	}
	slices.SortFunc(edges, func(a, b edge) int { return a.at.compare(b.at) })
	for n := 0; n < len(edges); {
		at := edges[n].at
		for ; n < len(edges) && edges[n].at == at; n++ {
			s.flip(edges[n].clause)
		}
		s.strip(at)
	}
	for _, p := range s.open { // of rules that reach to the last address there is
		p.to = t.universe()[dSrc].high
	}
	for l := range s.done {
		slices.SortFunc(s.done[l], func(p, q *patch) int {
			return cmp.Or(cmp.Compare(p.rule, q.rule), p.from.compare(q.from), p.services[0].low.compare(q.services[0].low))
		})
	}
	return s.done
}

// makeCells cuts the services where any rule begins or ends.
func (s *strips) makeCells() {
	s.cells = []uint64{0, 1 << 16}
	for i := range s.clauses {
		b := s.clauses[i].box[dDstPort]
		s.cells = append(s.cells, b.low.lo, b.high.lo+1)
	}
	slices.Sort(s.cells)
	s.cells = slices.Compact(s.cells)
	at := func(service uint64) int {
		n, _ := slices.BinarySearch(s.cells, service)
		return n
	}
	for i := range s.clauses {
		b := s.clauses[i].box[dDstPort]
		s.spans = append(s.spans, [2]int{at(b.low.lo), at(b.high.lo + 1)})
	}
	n := len(s.cells) - 1
	for l := range s.count {
		s.count[l] = make([]int32, n)
		s.only[l], s.stale[l] = newBitSet(n), newBitSet(n)
		s.owner[l] = slices.Repeat([]int32{nobody}, n)
	}
}

// flip lets a rule begin, or end.
func (s *strips) flip(i int32) {
	list := s.clauses[i].list
	by := int32(1)
	n, in := slices.BinarySearch(s.active[list], i)
	if in {
		by = -1
		s.active[list] = slices.Delete(s.active[list], n, n+1)
	} else {
		s.active[list] = slices.Insert(s.active[list], n, i)
	}
	count := s.count[list]
	for c := s.spans[i][0]; c < s.spans[i][1]; c++ {
		was := count[c]
		count[c] += by
		s.touch(list, c)
		if was == 0 || count[c] == 0 {
			s.settle(c)
		}
	}
}

// touch makes a cell stale.
func (s *strips) touch(l, c int) {
	s.stale[l].add(c)
	near := &s.near[l]
	if near[1] == 0 {
		near[0] = c
	}
	near[0], near[1] = min(near[0], c), max(near[1], c+1)
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
func (s *strips) strip(at value) {
	for l := range s.stale {
		s.share(l)
	}
	for _, i := range s.moved {
		s.isMoved[i] = false
		list := s.clauses[i].list
		if p := s.open[i]; p != nil {
			p.to = before(at)
			delete(s.open, i)
		}
		if services := s.owned(list, i); services != nil {
			p := &patch{rule: s.clauses[i].rule, services: services, from: at}
			s.open[i] = p
			s.done[list] = append(s.done[list], p)
		}
	}
	s.moved = s.moved[:0]
}

// share gives each stale cell of a list to the first rule that covers it.
func (s *strips) share(l int) {
	left := 0
	low, high := s.near[l][0], s.near[l][1]
	s.near[l] = [2]int{}
	s.stale[l].each(low, high, func(c int) {
		if s.only[l].has(c) {
			left++
			return
		}
		s.stale[l].remove(c)
		s.give(l, c, nobody)
	})
	for _, i := range s.active[l] {
		if left == 0 {
			break
		}
		from, to := max(s.spans[i][0], low), min(s.spans[i][1], high)
		s.stale[l].each(from, to, func(c int) {
			s.stale[l].remove(c)
			s.give(l, c, i)
			left--
		})
	}
}

// give makes a rule the owner of a cell.
func (s *strips) give(l, c int, i int32) {
	was := s.owner[l][c]
	if was == i {
		return
	}
	s.owner[l][c] = i
	for _, rule := range []int32{was, i} {
		if rule != nobody && !s.isMoved[rule] {
			s.isMoved[rule] = true
			s.moved = append(s.moved, rule)
		}
	}
}

// owned are the services of the cells that a rule owns.
func (s *strips) owned(l int, i int32) (services []interval) {
	owner := s.owner[l]
	for c := s.spans[i][0]; c < s.spans[i][1]; c++ {
		if owner[c] != i {
			continue
		}
		first := c
		for c+1 < s.spans[i][1] && owner[c+1] == i {
			c++
		}
		services = append(services, span(s.cells[first], s.cells[c+1]-1))
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
