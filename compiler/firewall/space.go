package firewall

import (
	"cmp"
	"encoding/binary"
	"math"
	"net/netip"
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
