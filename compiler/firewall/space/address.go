package space

import (
	"fmt"
	"math/bits"
	"net/netip"
	"slices"
	"strings"
)

// Range is an inclusive range of addresses of one family.
type Range struct{ From, To netip.Addr }

// All ranges of a family.
var (
	EveryV4 = Range{netip.AddrFrom4([4]byte{}), netip.AddrFrom4([4]byte{255, 255, 255, 255})}
	EveryV6 = Range{netip.IPv6Unspecified(), LastOf(netip.MustParsePrefix("::/0"))}
)

// String writes the range as an address, a prefix or "from-to".
func (r Range) String() string {
	if r.From == r.To {
		return r.From.String()
	}
	if p := r.Prefixes(); len(p) == 1 {
		return p[0].String()
	}
	return r.From.String() + "-" + r.To.String()
}

// ParseRange reads an address, a prefix such as 10.0.0.0/8, or a range such as
// 10.0.0.5-10.0.0.9. Zones, IPv4 mapped into IPv6 and host bits behind a prefix
// are errors.
func ParseRange(s string) (Range, error) {
	low, high, dashed := strings.Cut(s, "-")
	if !dashed && strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return Range{}, fmt.Errorf("%q is no prefix such as 10.0.0.0/8", s)
		}
		if err := CheckPlain(p.Addr()); err != nil {
			return Range{}, err
		}
		if p.Masked() != p {
			return Range{}, fmt.Errorf("%s has bits set behind its prefix length: write %s or the address alone", s, p.Masked())
		}
		return Range{p.Addr(), LastOf(p)}, nil
	}
	if !dashed {
		high = low
	}
	from, err1 := netip.ParseAddr(low)
	to, err2 := netip.ParseAddr(high)
	if err1 != nil || err2 != nil {
		return Range{}, fmt.Errorf("%q is no address, prefix or range such as 10.0.0.5-10.0.0.9", s)
	}
	if err := CheckPlain(from); err != nil {
		return Range{}, err
	}
	if err := CheckPlain(to); err != nil {
		return Range{}, err
	}
	if from.Is4() != to.Is4() || to.Less(from) {
		return Range{}, fmt.Errorf("range %s does not run from a lower address to a higher one of the same family", s)
	}
	return Range{from, to}, nil
}

// CheckPlain refuses the spellings of an address that the kernel's rules do not have.
func CheckPlain(a netip.Addr) error {
	if a.Zone() != "" {
		return fmt.Errorf("address %s has a zone: a zone has no meaning outside one machine", a)
	}
	if a.Is4In6() {
		return fmt.Errorf("address %s is IPv4 written as IPv6: write %s", a, a.Unmap())
	}
	return nil
}

// LastOf is the highest address of a prefix.
func LastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	last, _ := netip.AddrFromSlice(b)
	return last
}

// Meets says whether the range and the prefix have an address in common.
func (r Range) Meets(p netip.Prefix) bool {
	return p.Contains(r.From) || !p.Masked().Addr().Less(r.From) && !r.To.Less(p.Masked().Addr()) && r.From.Is4() == p.Addr().Is4()
}

// Prefixes covers the range with the fewest prefixes, in ascending order.
func (r Range) Prefixes() []netip.Prefix {
	var out []netip.Prefix
	for from := r.From; ; {
		p := widest(from, r.To)
		out = append(out, p)
		last := LastOf(p)
		if last == r.To {
			return out
		}
		from = last.Next()
	}
}

// widest is the largest prefix that starts at from and ends no later than to.
func widest(from, to netip.Addr) netip.Prefix {
	b := from.AsSlice()
	zeros := 0
	for i := len(b) - 1; i >= 0; i-- {
		n := bits.TrailingZeros8(b[i])
		zeros += n
		if n < 8 {
			break
		}
	}
	for n := len(b)*8 - zeros; ; n++ {
		if p := netip.PrefixFrom(from, n); !to.Less(LastOf(p)) {
			return p
		}
	}
}

// MergeRanges sorts ranges and joins those that touch.
func MergeRanges(in []Range) []Range {
	in = slices.Clone(in)
	slices.SortFunc(in, func(a, b Range) int { return a.From.Compare(b.From) })
	var out []Range
	for _, r := range in {
		if n := len(out); n > 0 && out[n-1].From.Is4() == r.From.Is4() && touches(out[n-1], r) {
			if out[n-1].To.Less(r.To) {
				out[n-1].To = r.To
			}
			continue
		}
		out = append(out, r)
	}
	return out
}

// touches says whether b, which starts no earlier than a, overlaps a or follows
// it without a gap.
func touches(a, b Range) bool {
	next := a.To.Next()
	return !next.IsValid() || !next.Less(b.From)
}

// LinkLocal is the address that an interface gives itself from its MAC (RFC 4291,
// appendix A).
func LinkLocal(mac []byte) netip.Addr {
	return netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80,
		8: mac[0] ^ 2, 9: mac[1], 10: mac[2], 11: 0xff, 12: 0xfe, 13: mac[3], 14: mac[4], 15: mac[5]})
}

// Leased stands for the address that DHCP will give. The rules speak of it only
// as "the interface's own", so what holds for it holds for every other lease.
var Leased = netip.MustParseAddr("0.0.0.1")
