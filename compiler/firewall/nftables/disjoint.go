package nftables

import (
	"fmt"
	"math"
	"slices"

	"github.com/sbx-dev/sbx/compiler/firewall/space"
)

// shared is a flat that no other overlaps, with all rules that ask for some of it.
type shared struct {
	remote    space.Range
	low, high uint16
	rules     []int
}

// disjoint says the same in parts that do not overlap, which is all that the kernel's
// sets take: cut at the addresses at which a rule begins or ends, or at such ports,
// whichever makes fewer.
func (c *contents) disjoint(f family, asked []flat) []shared {
	if len(asked) == 0 || c.err != nil {
		return nil
	}
	byAddress, err := cutBy(asked, remotes, services)
	if err != nil {
		c.err = err
		return nil
	}
	bands, err := cutBy(asked, services, remotes)
	if err != nil {
		c.err = err
		return nil
	}
	var out []shared
	if count(bands) < count(byAddress) {
		for _, b := range bands {
			out = append(out, product(f, b.across, b.along)...)
		}
	} else {
		for _, b := range byAddress {
			out = append(out, product(f, b.along, b.across)...)
		}
	}
	attribute(out, asked)
	return out
}

func remotes(f *flat) space.Interval { return space.Addresses(f.remote) }

func services(f *flat) space.Interval { return space.Span(uint64(f.low), uint64(f.high)) }

// band is a product of intervals of two dimensions.
type band struct{ along, across []space.Interval }

func count(bands []band) (n int) {
	for _, b := range bands {
		n += len(b.along) * len(b.across)
	}
	return n
}

// cutBy cuts along one dimension. Where the same is asked for across, it is one band.
func cutBy(asked []flat, along, across func(*flat) space.Interval) (out []band, err error) {
	var clauses []space.Clause
	for i := range asked {
		b := space.Everything()
		b[space.DimSrc], b[space.DimDstPort] = along(&asked[i]), across(&asked[i])
		clauses = append(clauses, space.Clause{Box: b, Rule: i})
	}
	seen := map[string]int{}
	flush := func(strip, open []space.Interval) {
		if len(open) == 0 {
			return
		}
		open = joined(open)
		key := fmt.Sprint(open)
		n, ok := seen[key]
		if !ok {
			n, seen[key] = len(out), len(out)
			out = append(out, band{across: open})
		}
		out[n].along = append(out[n].along, strip...)
	}
	var strip, open []space.Interval
	err = space.Partition(space.Everything(), clauses, func(r *space.Region, matching []int32) error {
		if len(strip) == 0 || strip[0] != r[space.DimSrc][0] { // all of one strip come one behind the other
			flush(strip, open)
			strip, open = slices.Clone(r[space.DimSrc]), nil
		}
		if len(matching) > 0 {
			open = append(open, r[space.DimDstPort]...)
		}
		return nil
	})
	flush(strip, open)
	for i := range out {
		out[i].along = joined(out[i].along)
	}
	return out, err
}

// joined sorts intervals that do not overlap, and joins those that touch.
func joined(in []space.Interval) (out []space.Interval) {
	slices.SortFunc(in, func(a, b space.Interval) int { return a.Low.Compare(b.Low) })
	for _, i := range in {
		if n := len(out); n > 0 {
			if next, ok := out[n-1].High.Next(); ok && next == i.Low {
				out[n-1].High = i.High
				continue
			}
		}
		out = append(out, i)
	}
	return out
}

// product writes a band out.
func product(f family, remotes, services []space.Interval) (out []shared) {
	for _, r := range remotes {
		for _, s := range services {
			out = append(out, shared{remote: space.Range{From: r.Low.Address(f.v6), To: r.High.Address(f.v6)},
				low: uint16(s.Low.Lo), high: uint16(min(s.High.Lo, math.MaxUint16))})
		}
	}
	return out
}

// attribute finds the rules that ask for some of each part.
func attribute(parts []shared, asked []flat) {
	for i := range parts {
		p := &parts[i]
		for _, a := range asked {
			if a.low <= p.high && p.low <= a.high && !p.remote.To.Less(a.remote.From) && !a.remote.To.Less(p.remote.From) && !slices.Contains(p.rules, a.rule) {
				p.rules = append(p.rules, a.rule)
			}
		}
	}
}
