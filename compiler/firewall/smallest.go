package firewall

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/sbx-dev/sbx/compiler/firewall/space"
)

// Part is a set of conversations that a policy admits, as one rule of one family: any
// of its remotes, of any of its services.
type Part struct {
	Rule
	From []int // the policy's rules that ask for some of it, as indices, ascending
}

// Smallest writes the policy as the fewest pairs of a prefix and a range of ports that
// are found: what touches is joined, and what is said twice is said once. A list is
// tried as it is written, joined, cut at the addresses at which a rule begins or ends,
// and cut at such ports; each is equal to the others, and that of the fewest pairs is
// taken, the earlier one of two. Parts are in the order of the rules that ask for them.
//
// A policy of few pairs is short whichever way it is written: there each rule is joined
// in itself alone, so that what becomes of it can be told by its line.
//
// Where connections are bounded, the order of the rules decides what is counted
// together: nothing that comes in by IPv4 is joined then.
func (p *Policy) Smallest() []Part {
	bounded := slices.ContainsFunc(p.rules, func(r Rule) bool { return r.Connections > 0 })
	classes, all := p.parts(), 0
	for _, written := range classes {
		all += pairs(written)
	}
	var out []Part
	for class, written := range classes {
		best := written
		switch {
		case bounded && class.in && !class.v6:
		case all <= fewPairs:
			best = alone(written)
		default:
			best = smallest(class, written)
		}
		for _, part := range best {
			part.Path, part.Pos = p.rules[part.From[0]].Path, p.rules[part.From[0]].Pos
			out = append(out, part)
		}
	}
	slices.SortFunc(out, func(a, b Part) int {
		v6 := func(p Part) int { return count(p.V6) }
		return cmp.Or(cmp.Compare(a.From[0], b.From[0]), cmp.Compare(v6(a), v6(b)),
			a.Remotes[0].From.Compare(b.Remotes[0].From), cmp.Compare(a.Services[0].Low, b.Services[0].Low))
	})
	return out
}

// class is what can be joined at all. Of rules for any protocol the proto is Other.
type class struct {
	in, v6 bool
	proto  Proto
}

// parts are the rules as they are written, each cut by families.
func (p *Policy) parts() map[class][]Part {
	out := map[class][]Part{}
	for n, r := range p.rules {
		for _, v6 := range []bool{false, true} {
			part := Part{Rule: r, From: []int{n}}
			part.V4, part.V6 = !v6, v6
			part.Remotes = slices.DeleteFunc(slices.Clone(r.Remotes), func(one space.Range) bool { return one.From.Is6() != v6 })
			if len(part.Remotes) == 0 {
				continue
			}
			c := class{r.In, v6, r.Services[0].Proto}
			if r.Any {
				c.proto = Other
			}
			out[c] = append(out[c], part)
		}
	}
	return out
}

// Pairs is how many pairs of a prefix and a range of ports the part is.
func (p *Part) Pairs() (n int) {
	for _, r := range p.Remotes {
		n += len(r.Prefixes())
	}
	if p.Any {
		return n
	}
	return n * len(p.Services)
}

func pairs(parts []Part) (n int) {
	for i := range parts {
		n += parts[i].Pairs()
	}
	return n
}

// fewPairs is up to where lines count more than how many rules there are: libvirt starts
// some five programs for each pair, beside a hundred that are always the same.
const fewPairs = 16

// alone joins each rule in itself.
func alone(written []Part) []Part {
	out := slices.Clone(written)
	for i := range out {
		if services := unite(out[i].Services); len(services) < len(out[i].Services) {
			out[i].Services = services
		}
	}
	return out
}

// mostPairs is up to where a class is rewritten, which takes a second then. One of more
// is refused anyway where it is lowered, but for rules that nobody writes.
const mostPairs = 50_000

// smallest tries the ways to write one class.
func smallest(c class, written []Part) []Part {
	if len(written) < 2 && len(written[0].Services) < 2 || pairs(written) > mostPairs {
		return written
	}
	others := [][]Part{joined(written)}
	if c.proto != ICMP && c.proto != Other {
		others = append(others, cutAtAddresses(written, c.v6), cutAtPorts(written))
	}
	best, least := written, pairs(written)
	for _, other := range others {
		if n := pairs(other); n < least && len(other) > 0 {
			best, least = other, n
		}
	}
	if least < pairs(written) {
		attribute(best, written)
	}
	return best
}

// attribute finds the rules that ask for some of each part.
func attribute(parts, written []Part) {
	for i := range parts {
		parts[i].From = nil
	}
	for _, w := range written {
		services := unite(w.Services)
		for i := range parts {
			if part := &parts[i]; meet(part.Services, services, Service.before) && meet(part.Remotes, w.Remotes, precedes) {
				part.From = append(part.From, w.From[0])
			}
		}
	}
}

// meet says whether two ascending lists have something in common.
func meet[T any](a, b []T, before func(x, y T) bool) bool {
	for len(a) > 0 && len(b) > 0 {
		switch {
		case before(a[0], b[0]):
			a = a[1:]
		case before(b[0], a[0]):
			b = b[1:]
		default:
			return true
		}
	}
	return false
}

// before says whether s ends before t begins.
func (s Service) before(t Service) bool {
	return s.Proto < t.Proto || s.Proto == t.Proto && s.High < t.Low
}

func precedes(a, b space.Range) bool { return a.To.Less(b.From) }

// mostRounds bounds joining: rules can be such that each round joins two of them alone.
const mostRounds = 10

// joined joins parts that agree in their services or in their remotes until none do.
// The types of ICMP that nwfilter can say are one by one, so those never touch.
func joined(parts []Part) []Part {
	before := len(parts) + 1
	for round := 0; len(parts) < before && round < mostRounds; round++ {
		before = len(parts)
		parts = joinBy(parts, func(p *Part) string { return fmt.Sprint(p.Services) },
			func(into, p *Part) { into.Remotes = space.MergeRanges(append(into.Remotes, p.Remotes...)) })
		parts = joinBy(parts, func(p *Part) string { return fmt.Sprint(p.Remotes) },
			func(into, p *Part) { into.Services = unite(append(into.Services, p.Services...)) })
	}
	return parts
}

// joinBy merges the parts that have the same key.
func joinBy(parts []Part, key func(*Part) string, merge func(into, p *Part)) (out []Part) {
	seen := map[string]int{}
	for _, p := range parts {
		p.Services = unite(p.Services)
		k := key(&p)
		if n, ok := seen[k]; ok {
			merge(&out[n], &p)
			continue
		}
		seen[k] = len(out)
		p.Remotes = slices.Clone(p.Remotes)
		out = append(out, p)
	}
	return out
}

// unite sorts services and joins ports that touch; of ICMP it leaves out those that
// stand there twice.
func unite(in []Service) []Service {
	in = slices.Clone(in)
	if len(in) > 0 && in[0].Proto != ICMP {
		return mergeServices(in)
	}
	slices.SortFunc(in, func(a, b Service) int { return cmp.Or(cmp.Compare(a.Low, b.Low), cmp.Compare(a.High, b.High)) })
	return slices.Compact(in)
}
