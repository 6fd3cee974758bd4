package firewall

import (
	"cmp"
	"encoding/binary"
	"math"
	"net/netip"
	"slices"
)

// A packet is a point in a space of eight dimensions, and a rule a box in it. A
// space is that of one direction and one kind of frame. What a dimension means
// depends on the kind:
//
//	        state  proto      srcMAC dstMAC src        dst        srcPort     dstPort
//	IP      yes    protocol   yes    yes    address    address    port        port, or ICMP type<<8|code
//	(R)ARP  0      operation  yes    yes    sender IP  target IP  sender MAC  target MAC
//	other   0      EtherType  yes    yes    -          -          -           -
const (
	dState = iota
	dProto
	dSrcMAC
	dDstMAC
	dSrc
	dDst
	dSrcPort
	dDstPort
	numDims
)

// value is a coordinate; an IPv6 address needs all of it.
type value struct{ hi, lo uint64 }

func (v value) compare(w value) int {
	if v.hi != w.hi {
		return cmp.Compare(v.hi, w.hi)
	}
	return cmp.Compare(v.lo, w.lo)
}

// next is v+1; ok is false when there is none.
func (v value) next() (w value, ok bool) {
	if v.lo != math.MaxUint64 {
		return value{v.hi, v.lo + 1}, true
	}
	return value{v.hi + 1, 0}, v.hi != math.MaxUint64
}

func number(n uint64) value { return value{0, n} }

func addressValue(a netip.Addr) value {
	if a.Is4() {
		b := a.As4()
		return number(uint64(binary.BigEndian.Uint32(b[:])))
	}
	b := a.As16()
	return value{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// address turns v back into an address of a family.
func (v value) address(v6 bool) netip.Addr {
	if !v6 {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], uint32(v.lo))
		return netip.AddrFrom4(b)
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], v.hi)
	binary.BigEndian.PutUint64(b[8:], v.lo)
	return netip.AddrFrom16(b)
}

func macValue(mac []byte) value {
	var b [8]byte
	copy(b[2:], mac)
	return number(binary.BigEndian.Uint64(b[:]))
}

// interval is inclusive; the full interval leaves a dimension open.
type interval struct{ low, high value }

var full = interval{value{}, value{math.MaxUint64, math.MaxUint64}}

func single(v value) interval        { return interval{v, v} }
func span(low, high uint64) interval { return interval{number(low), number(high)} }
func addresses(r Range) interval     { return interval{addressValue(r.From), addressValue(r.To)} }

func (i interval) covers(j interval) bool {
	return i.low.compare(j.low) <= 0 && j.high.compare(i.high) <= 0
}

func (i interval) meets(j interval) bool {
	return i.low.compare(j.high) <= 0 && j.low.compare(i.high) <= 0
}

func (i interval) has(v value) bool { return i.low.compare(v) <= 0 && v.compare(i.high) <= 0 }

// point is a packet's place in its space, box a rule's.
type (
	point [numDims]value
	box   [numDims]interval
)

// everything is the box without bounds.
func everything() (b box) {
	for d := range b {
		b[d] = full
	}
	return b
}

func (b *box) has(p *point) bool {
	for d := range b {
		if !b[d].has(p[d]) {
			return false
		}
	}
	return true
}

// clause is a box and what happens to a packet in it.
type clause struct {
	box     box
	list    int // which of the lists under comparison it belongs to
	verdict verdict
	chain   int // 0 is the root; a return skips the rest of its chain, which stands together
	rule    int // the rule that it came from
}

type verdict int8

const (
	accept verdict = iota
	drop
	leave // back to the root chain; from there, out of the layer
)

// final says whether nothing behind the clause in its list can matter.
func (c *clause) final() bool { return c.verdict != leave || c.chain == 0 }

// decide walks the clauses, all of which match and are of one list, and gives
// the one that decides; nil when none does.
func decide(clauses []clause, matching []int32) *clause {
	left := 0
	for _, i := range matching {
		c := &clauses[i]
		switch {
		case c.chain != 0 && c.chain == left:
		case c.verdict == leave && c.chain != 0:
			left = c.chain
		default:
			return c
		}
	}
	return nil
}

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
