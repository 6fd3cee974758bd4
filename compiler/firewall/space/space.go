// Package space is the space of all packets: what a packet is to a rule, and how rules
// cut the space into parts in which each decides alike, so that a claim on every packet
// there is can be checked.
package space

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
	DimState = iota
	DimProto
	DimSrcMAC
	DimDstMAC
	DimSrc
	DimDst
	DimSrcPort
	DimDstPort
	numDims
)

// Value is a coordinate; an IPv6 address needs all of it.
type Value struct{ hi, Lo uint64 }

func (v Value) Compare(w Value) int {
	if v.hi != w.hi {
		return cmp.Compare(v.hi, w.hi)
	}
	return cmp.Compare(v.Lo, w.Lo)
}

// Next is v+1; ok is false when there is none.
func (v Value) Next() (w Value, ok bool) {
	if v.Lo != math.MaxUint64 {
		return Value{v.hi, v.Lo + 1}, true
	}
	return Value{v.hi + 1, 0}, v.hi != math.MaxUint64
}

func Number(n uint64) Value { return Value{0, n} }

func AddressValue(a netip.Addr) Value {
	if a.Is4() {
		b := a.As4()
		return Number(uint64(binary.BigEndian.Uint32(b[:])))
	}
	b := a.As16()
	return Value{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// Address turns v back into an address of a family.
func (v Value) Address(v6 bool) netip.Addr {
	if !v6 {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], uint32(v.Lo))
		return netip.AddrFrom4(b)
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], v.hi)
	binary.BigEndian.PutUint64(b[8:], v.Lo)
	return netip.AddrFrom16(b)
}

func MacValue(mac []byte) Value {
	var b [8]byte
	copy(b[2:], mac)
	return Number(binary.BigEndian.Uint64(b[:]))
}

// Interval is inclusive; the full interval leaves a dimension open.
type Interval struct{ Low, High Value }

var Full = Interval{Value{}, Value{math.MaxUint64, math.MaxUint64}}

func Single(v Value) Interval        { return Interval{v, v} }
func Span(low, high uint64) Interval { return Interval{Number(low), Number(high)} }
func Addresses(r Range) Interval     { return Interval{AddressValue(r.From), AddressValue(r.To)} }

func (i Interval) covers(j Interval) bool {
	return i.Low.Compare(j.Low) <= 0 && j.High.Compare(i.High) <= 0
}

func (i Interval) Meets(j Interval) bool {
	return i.Low.Compare(j.High) <= 0 && j.Low.Compare(i.High) <= 0
}

func (i Interval) Has(v Value) bool { return i.Low.Compare(v) <= 0 && v.Compare(i.High) <= 0 }

// Point is a packet's place in its space, box a rule's.
type (
	Point [numDims]Value
	Box   [numDims]Interval
)

// Everything is the box without bounds.
func Everything() (b Box) {
	for d := range b {
		b[d] = Full
	}
	return b
}

func (b *Box) Has(p *Point) bool {
	for d := range b {
		if !b[d].Has(p[d]) {
			return false
		}
	}
	return true
}

// Clause is a box and what happens to a packet in it.
type Clause struct {
	Box     Box
	List    int // which of the lists under comparison it belongs to
	Verdict Verdict
	Chain   int // 0 is the root; a return skips the rest of its chain, which stands together
	Rule    int // the rule that it came from
}

type Verdict int8

const (
	Accept Verdict = iota
	Drop
	Leave // back to the root chain; from there, out of the layer
)

// final says whether nothing behind the clause in its list can matter.
func (c *Clause) final() bool { return c.Verdict != Leave || c.Chain == 0 }

// Decide walks the clauses, all of which match and are of one list, and gives
// the one that decides; nil when none does.
func Decide(clauses []Clause, matching []int32) *Clause {
	left := 0
	for _, i := range matching {
		c := &clauses[i]
		switch {
		case c.Chain != 0 && c.Chain == left:
		case c.Verdict == Leave && c.Chain != 0:
			left = c.Chain
		default:
			return c
		}
	}
	return nil
}

// Reversed is the box of the packets that go back.
func (b Box) Reversed() Box {
	b[DimSrc], b[DimDst] = b[DimDst], b[DimSrc]
	b[DimSrcMAC], b[DimDstMAC] = b[DimDstMAC], b[DimSrcMAC]
	b[DimSrcPort], b[DimDstPort] = b[DimDstPort], b[DimSrcPort]
	return b
}
