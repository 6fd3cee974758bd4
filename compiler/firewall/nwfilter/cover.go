package nwfilter

import (
	"cmp"
	"math"
	"math/bits"
	"net/netip"
	"slices"

	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/compiler/firewall/space"
)

// kind is what can be joined: of one direction, family and protocol, and of ICMPv6 of
// one type. Of rules for any protocol the proto is Other.
type kind struct {
	in, v6 bool
	proto  firewall.Proto
	icmp   uint8
}

// patch is a prefix of remotes and a range of services, and the rules that ask for it.
type patch struct {
	remote    netip.Prefix
	low, high uint16
	from      []int // ascending
}

// cover is parts that let pass what the policy does, and more where they would become
// more than most rules of ebtables: then they become few, or as few as the kinds of the
// policy allow.
func cover(p *firewall.Policy, most, few int) (out []firewall.Part) {
	patches := patches(p)
	kinds, all := make([]kind, 0, len(patches)), 0
	for k, list := range patches {
		slices.SortFunc(list, func(a, b patch) int {
			return cmp.Or(a.remote.Addr().Compare(b.remote.Addr()), cmp.Compare(a.low, b.low))
		})
		kinds = append(kinds, k)
		all += len(list) * weight(p, k)
	}
	slices.SortFunc(kinds, func(a, b kind) int {
		return cmp.Or(ordinal(b.in)-ordinal(a.in), ordinal(a.v6)-ordinal(b.v6), cmp.Compare(a.proto, b.proto), cmp.Compare(a.icmp, b.icmp))
	})
	for exact := all <= most; !exact && all > few; {
		saved := joinClosest(p, kinds, patches, all-few)
		if saved == 0 {
			break
		}
		all -= saved
	}
	for _, k := range kinds {
		for _, one := range patches[k] {
			out = append(out, k.part(p, one))
		}
	}
	slices.SortStableFunc(out, func(a, b firewall.Part) int { return cmp.Compare(a.From[0], b.From[0]) })
	return out
}

func ordinal(b bool) int {
	if b {
		return 1
	}
	return 0
}

// weight is how many rules of ebtables a patch becomes.
func weight(p *firewall.Policy, k kind) int {
	own := len(p.Locals(k.v6))
	table := firewall.ICMPv6
	if _, request := firewall.ICMPReply(table, k.icmp); k.proto == firewall.ICMP && (!k.v6 || !request) {
		return own
	}
	return 2 * own
}

// patches are the policy's parts by kinds, as serviceEbtables tells them apart: of ICMP
// over IPv4, where ebtables knows no types, all is one kind, and the way in is open
// without a rule.
func patches(p *firewall.Policy) map[kind][]patch {
	out := map[kind][]patch{}
	for _, part := range p.Smallest() {
		services := part.Services
		if part.Any {
			services = []firewall.Service{{Proto: firewall.Other, Low: 0, High: math.MaxUint16}}
		}
		for _, s := range services {
			k, low, high := kind{in: part.In, v6: part.V6, proto: s.Proto}, s.Low, s.High
			if s.Proto == firewall.ICMP {
				if _, request := firewall.ICMPReply(firewall.ICMPv4, uint8(s.Low>>8)); !k.v6 && k.in && !request {
					continue
				}
				low, high = 0, 0xff
				if k.v6 {
					k.icmp = uint8(s.Low >> 8)
				} else {
					k.in = false
				}
			}
			for _, remote := range prefixes(part.Remotes, part.V6) {
				out[k] = append(out[k], patch{remote, low, high, part.From})
			}
		}
	}
	return out
}

// part is the patch as a part of the policy.
func (k kind) part(p *firewall.Policy, one patch) firewall.Part {
	first := p.Rules()[one.from[0]]
	out := firewall.Part{From: one.from, Rule: firewall.Rule{In: k.in, V4: !k.v6, V6: k.v6, Any: k.proto == firewall.Other,
		Remotes: []space.Range{{From: one.remote.Addr(), To: space.LastOf(one.remote)}}, Path: first.Path, Pos: first.Pos}}
	switch {
	case out.Any:
	case k.proto == firewall.ICMP:
		of := uint16(k.icmp)
		if !k.v6 {
			of = uint16(firewall.ICMPv4["echo-request"].Type) // any type does
		}
		out.Services = []firewall.Service{{Proto: firewall.ICMP, Low: of << 8, High: of<<8 | 0xff}}
	default:
		out.Services = []firewall.Service{{Proto: k.proto, Low: one.low, High: one.high}}
	}
	return out
}

// joinClosest joins neighbours of one kind, those first between which the least lies,
// until that many rules are saved or each patch has been joined once. It says how many
// rules were saved.
func joinClosest(p *firewall.Policy, kinds []kind, patches map[kind][]patch, excess int) (saved int) {
	type pair struct {
		k     kind
		at    int // the lower of the two
		added float64
	}
	var pairs []pair
	for _, k := range kinds {
		for i := 1; i < len(patches[k]); i++ {
			a, b := patches[k][i-1], patches[k][i]
			pairs = append(pairs, pair{k, i - 1, join(a, b).volume() - a.volume() - b.volume()})
		}
	}
	slices.SortStableFunc(pairs, func(a, b pair) int { return cmp.Compare(a.added, b.added) })
	gone := map[kind][]bool{}
	for _, k := range kinds {
		gone[k] = make([]bool, len(patches[k]))
	}
	// A few at a time: what is joined changes what lies next to it.
	joins := max(1, len(pairs)/8)
	touched := map[kind]map[int]bool{}
	for _, c := range pairs {
		if saved >= excess || joins == 0 {
			break
		}
		if touched[c.k] == nil {
			touched[c.k] = map[int]bool{}
		}
		if touched[c.k][c.at] || touched[c.k][c.at+1] {
			continue
		}
		touched[c.k][c.at], touched[c.k][c.at+1] = true, true
		list := patches[c.k]
		list[c.at] = join(list[c.at], list[c.at+1])
		gone[c.k][c.at+1] = true
		saved += weight(p, c.k)
		joins--
	}
	for _, k := range kinds {
		n := -1
		patches[k] = slices.DeleteFunc(patches[k], func(patch) bool { n++; return gone[k][n] })
	}
	return saved
}

// join is the least patch that holds both.
func join(a, b patch) patch {
	from := slices.Concat(a.from, b.from)
	slices.Sort(from)
	return patch{common(a.remote, b.remote), min(a.low, b.low), max(a.high, b.high), slices.Compact(from)}
}

// volume is how much of all packets of its kind the patch is.
func (p patch) volume() float64 {
	return math.Ldexp(float64(p.high)-float64(p.low)+1, -p.remote.Bits())
}

// common is the longest prefix that holds both, which are of one family.
func common(a, b netip.Prefix) netip.Prefix {
	n := min(a.Bits(), b.Bits())
	x, y := a.Addr().AsSlice(), b.Addr().AsSlice()
	for i := range x {
		if x[i] != y[i] {
			n = min(n, 8*i+bits.LeadingZeros8(x[i]^y[i]))
			break
		}
	}
	out, _ := a.Addr().Prefix(n)
	return out
}
