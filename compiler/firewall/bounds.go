package firewall

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/sbx-dev/sbx/compiler/firewall/space"
)

// Loosening is a set of conversations that two policies admit, of which one
// admits more at once from one remote address than the other.
//
// libvirt counts the connections of each range of ports in a rule's list by
// itself, and a packet belongs to the first rule that lets it pass. So the ports
// from which an address is counted together are a range of one rule, less what
// rules before it take.
type Loosening struct {
	Remotes   []space.Range
	Services  []Service    // of TCP, counted together by the policy that admits fewer
	Few, Many int          // at most so many at once; Many is 0 for any number
	Rule      Rule         // one that admits more
	Fewer     Rule         // the one that admits fewer
	Witness   space.Packet // one packet of the set
}

// String says which conversations are meant, in words.
func (l Loosening) String() string { return conversationWords(true, l.Services, l.Remotes) }

// counted is where connections are counted at all.
var counted = topic{in: true, v6: false, proto: TCP}

// loosened finds where the new policy admits more conversations at once than the
// old one, exactly: an address may open as many as the sum of all the new bounds
// that a count of the old one is spread over.
func loosened(before, after *Policy) []Loosening {
	if !slices.ContainsFunc(before.rules, func(r Rule) bool { return r.Connections > 0 }) {
		return nil
	}
	all := before.openings()[counted]
	for _, clause := range after.openings()[counted] {
		clause.List = 1
		all = append(all, clause)
	}
	b := &bounds{
		grid: newGrid(all), policies: [2]*Policy{before, after},
		moved: map[int32]bool{}, seen: make([]int, len(all)), open: map[int32]*loosening{},
	}
	b.walk(func(i int32) { b.flip(i) }, b.strip)
	for _, l := range b.open {
		l.last = counted.universe()[space.DimSrc].High
	}
	return b.tidy()
}

// bounds finds out, for each strip, which range of which rule each cell belongs to.
type bounds struct {
	grid
	policies [2]*Policy
	moved    map[int32]bool // ranges of the first policy of which a cell has another owner
	seen     []int          // by clause of the second policy: the round that has counted it
	round    int            // one for each range of the first that is looked at
	open     map[int32]*loosening
	found    []*loosening
}

// loosening is one of neighbouring strips.
type loosening struct {
	Loosening
	ports      int32 // the range of the first policy
	from, last space.Value
}

// limit is the bound of a clause's rule; 0 is none.
func (b *bounds) limit(i int32) int { return b.rule(i).Connections }

func (b *bounds) rule(i int32) *Rule {
	return &b.policies[b.clauses[i].List].rules[b.clauses[i].Rule]
}

// strip looks at the ranges of the first policy that are no longer as they were
// in the strip before.
func (b *bounds) strip(at space.Value) {
	every := func(int) bool { return true }
	note := func(i int32) {
		if i != nobody && b.limit(i) > 0 {
			b.moved[i] = true
		}
	}
	b.share(0, every, func(_ int, from, to int32) { note(from); note(to) })
	b.share(1, every, func(c int, _, _ int32) { note(b.owner[0][c]) })
	for _, i := range slices.Sorted(maps.Keys(b.moved)) {
		if l := b.open[i]; l != nil {
			l.last = space.Before(at)
			delete(b.open, i)
		}
		if l, more := b.spread(i); more {
			b.open[i] = &loosening{Loosening: l, ports: i, from: at}
			b.found = append(b.found, b.open[i])
		}
	}
	clear(b.moved)
}

// spread adds up what the second policy admits of the ports that the first counts
// together, and says whether that is more.
func (b *bounds) spread(i int32) (l Loosening, more bool) {
	var bounded, free []Service // in the second policy
	first := [2]int32{nobody, nobody}
	b.round++
	for c := b.spans[i][0]; c < b.spans[i][1]; c++ {
		by := b.owner[1][c]
		if b.owner[0][c] != i || by == nobody {
			continue
		}
		ports, kind := Service{TCP, uint16(b.cells[c]), uint16(b.cells[c+1] - 1)}, 0
		limit := b.limit(by)
		if limit == 0 {
			free, kind = append(free, ports), 1
		} else {
			bounded = append(bounded, ports)
		}
		if first[kind] == nobody {
			first[kind] = by
		}
		if b.seen[by] != b.round {
			b.seen[by] = b.round
			l.Many += limit
		}
	}
	by := first[0]
	if l.Few, l.Services = b.limit(i), bounded; len(free) > 0 {
		by, l.Many, l.Services = first[1], 0, free
	}
	if by == nobody || l.Many != 0 && l.Many <= l.Few {
		return l, false
	}
	l.Services = mergeServices(l.Services)
	l.Rule, l.Fewer = *b.rule(by), *b.rule(i)
	return l, true
}

// tidy joins what the strips have found.
func (b *bounds) tidy() (out []Loosening) {
	slices.SortStableFunc(b.found, func(x, y *loosening) int { return cmp.Compare(x.ports, y.ports) })
	seen := map[string]int{}
	for _, l := range b.found {
		remote := space.Range{From: l.from.Address(false), To: l.last.Address(false)}
		key := fmt.Sprint(l.Fewer.Path, l.Few, l.Many, l.Rule.Path, l.Services)
		n, ok := seen[key]
		if !ok {
			n, seen[key] = len(out), len(out)
			out = append(out, l.Loosening)
		}
		out[n].Remotes = append(out[n].Remotes, remote)
	}
	for i := range out {
		l := &out[i]
		l.Remotes = space.MergeRanges(l.Remotes)
		l.Witness = b.policies[1].witness(&Difference{In: true, Remotes: l.Remotes, Services: l.Services})
	}
	return out
}
