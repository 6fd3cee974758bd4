package firewall

import (
	"cmp"
	"math/bits"
	"slices"
)

// strips compares the two lists of one topic by walking over the remote
// addresses. Between two addresses at which a rule begins or ends lies a strip,
// in which only the services count. What a rule covers of those is kept per
// elementary range of services (a cell), so that each strip costs what changed
// since the one before, and not the number of rules.
type strips struct {
	topic   topic
	clauses []clause
	cells   []uint64    // where each cell begins; the last is the end
	count   [2][]int32  // by list and cell: how many rules cover it
	only    [2][]uint64 // by list: the cells that it alone covers, as a bit set
	active  [2][]int32  // by list: the rules of the current strip, ascending
	open    [2]map[int]*patch
	done    [2][]*patch
}

// patch is what one rule admits beyond the other list, in neighbouring strips.
type patch struct {
	rule    int
	cells   [][2]int // ranges of cells, the end excluded
	from    value    // the first address
	to      value    // the last
	touched bool

	services []interval // cells, once the patch is over
}

// compareTopic gives the patches of each list that the other does not cover.
func compareTopic(t topic, clauses []clause) [2][]*patch {
	s := &strips{topic: t, clauses: clauses}
	for l := range s.open {
		s.open[l] = map[int]*patch{}
	}
	s.makeCells()
	universe := t.universe()[dSrc]
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
		end := universe.high
		if n < len(edges) {
			end = before(edges[n].at)
		}
		if at.compare(end) <= 0 {
			s.strip(0, at, end)
			s.strip(1, at, end)
		}
	}
	for l := range s.open {
		s.close(l, func(*patch) bool { return true })
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
	n := len(s.cells) - 1
	for l := range s.count {
		s.count[l] = make([]int32, n)
		s.only[l] = make([]uint64, n/64+1)
	}
}

func (s *strips) cellAt(service uint64) int {
	n, _ := slices.BinarySearch(s.cells, service)
	return n
}

// span is the range of cells that a rule covers, the end excluded.
func (s *strips) span(i int32) (from, to int) {
	b := s.clauses[i].box[dDstPort]
	return s.cellAt(b.low.lo), s.cellAt(b.high.lo + 1)
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
	from, to := s.span(i)
	count := s.count[list]
	for c := from; c < to; c++ {
		was := count[c]
		count[c] += by
		if was == 0 || count[c] == 0 {
			s.settle(c)
		}
	}
}

// settle finds out which list alone covers a cell.
func (s *strips) settle(c int) {
	word, bit := c/64, uint64(1)<<(c%64)
	for l := range s.only {
		if s.count[l][c] > 0 && s.count[1-l][c] == 0 {
			s.only[l][word] |= bit
		} else {
			s.only[l][word] &^= bit
		}
	}
}

// strip shares the cells that a list alone covers among its rules, the earliest
// first, and carries the rules' patches on.
func (s *strips) strip(l int, from, to value) {
	left := slices.Clone(s.only[l])
	for _, p := range s.open[l] {
		p.touched = false
	}
	for _, i := range s.active[l] {
		cells := s.take(left, i)
		if len(cells) == 0 {
			continue
		}
		p := s.open[l][int(i)]
		if p != nil && slices.Equal(p.cells, cells) {
			p.to, p.touched = to, true
			continue
		}
		if p != nil {
			s.finish(l, p)
		}
		s.open[l][int(i)] = &patch{rule: s.clauses[i].rule, cells: cells, from: from, to: to, touched: true}
	}
	s.close(l, func(p *patch) bool { return !p.touched })
}

// take removes the cells of rule i from the set and gives them as ranges.
func (s *strips) take(left []uint64, i int32) (out [][2]int) {
	from, to := s.span(i)
	for c := from; c < to; c++ {
		if left[c/64]>>(c%64) == 0 { // nothing more in this word
			c |= 63
			continue
		}
		c += bits.TrailingZeros64(left[c/64] >> (c % 64))
		if c >= to {
			break
		}
		left[c/64] &^= 1 << (c % 64)
		if n := len(out); n > 0 && out[n-1][1] == c {
			out[n-1][1] = c + 1
			continue
		}
		out = append(out, [2]int{c, c + 1})
	}
	return out
}

// close ends the patches that are over.
func (s *strips) close(l int, over func(*patch) bool) {
	for i, p := range s.open[l] {
		if over(p) {
			s.finish(l, p)
			delete(s.open[l], i)
		}
	}
}

func (s *strips) finish(l int, p *patch) {
	for _, c := range p.cells {
		p.services = append(p.services, span(s.cells[c[0]], s.cells[c[1]]-1))
	}
	s.done[l] = append(s.done[l], p)
}
