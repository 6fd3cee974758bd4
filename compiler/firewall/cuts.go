package firewall

import (
	"fmt"
	"slices"

	"github.com/sbx-dev/sbx/compiler/firewall/space"
)

// mostCut bounds how many ranges are looked at for all pieces of one cut.
const mostCut = 1_000_000

// cutAtAddresses writes a class with ports anew: remotes that have the same ports in
// all are one part. There is none where that takes too long.
func cutAtAddresses(written []Part, v6 bool) []Part {
	found := pieces{like: written[0]}
	ok := cut(written, func(p *Part) (out []space.Interval) {
		for _, r := range p.Remotes {
			out = append(out, space.Addresses(r))
		}
		return out
	}, func(at space.Interval, active []*Part) {
		var services []Service
		for _, p := range active {
			services = append(services, p.Services...)
		}
		services = unite(services)
		piece := found.of(fmt.Sprint(services))
		piece.Services = services
		piece.Remotes = append(piece.Remotes, space.Range{From: at.Low.Address(v6), To: at.High.Address(v6)})
	})
	return found.parts(ok)
}

// cutAtPorts is the other way around: ports that have the same remotes are one part.
func cutAtPorts(written []Part) []Part {
	found, proto := pieces{like: written[0]}, written[0].Services[0].Proto
	ok := cut(written, func(p *Part) (out []space.Interval) {
		for _, s := range unite(p.Services) {
			out = append(out, space.Span(uint64(s.Low), uint64(s.High)))
		}
		return out
	}, func(at space.Interval, active []*Part) {
		var remotes []space.Range
		for _, p := range active {
			remotes = append(remotes, p.Remotes...)
		}
		remotes = space.MergeRanges(remotes)
		piece := found.of(fmt.Sprint(remotes))
		piece.Remotes = remotes
		piece.Services = append(piece.Services, Service{proto, uint16(at.Low.Lo), uint16(at.High.Lo)})
	})
	return found.parts(ok)
}

// pieces collects what a cut yields, in the order of the first piece of each.
type pieces struct {
	like  Part
	byKey map[string]int
	list  []Part
}

// of gives the part of a key, which is valid until the next one is asked for.
func (p *pieces) of(key string) *Part {
	n, ok := p.byKey[key]
	if !ok {
		if p.byKey == nil {
			p.byKey = map[string]int{}
		}
		n = len(p.list)
		p.byKey[key] = n
		p.list = append(p.list, p.like)
		p.list[n].Remotes, p.list[n].Services = nil, nil
	}
	return &p.list[n]
}

func (p *pieces) parts(ok bool) []Part {
	if !ok {
		return nil
	}
	for i := range p.list {
		one := &p.list[i]
		one.Remotes, one.Services = space.MergeRanges(one.Remotes), unite(one.Services)
	}
	return p.list
}

// cut visits each elementary interval of one dimension that some part covers, with
// those parts; ok is false where they are too many to look at. The intervals of a part
// neither meet nor touch.
func cut(parts []Part, of func(*Part) []space.Interval, visit func(at space.Interval, active []*Part)) (ok bool) {
	var edges []space.Edge
	for i := range parts {
		for _, one := range of(&parts[i]) {
			edges = append(edges, space.Edge{At: one.Low, Clause: int32(i)})
			if next, more := one.High.Next(); more {
				edges = append(edges, space.Edge{At: next, Clause: int32(i)})
			}
		}
	}
	slices.SortFunc(edges, func(a, b space.Edge) int { return a.At.Compare(b.At) })
	var active []*Part
	for n, looked := 0, 0; n < len(edges); {
		at := edges[n].At
		for ; n < len(edges) && edges[n].At == at; n++ {
			active = flipped(active, &parts[edges[n].Clause])
		}
		if len(active) == 0 {
			continue
		}
		for _, p := range active {
			looked += len(p.Remotes) + len(p.Services)
		}
		if looked > mostCut {
			return false
		}
		last := space.Full.High
		if n < len(edges) {
			last = space.Before(edges[n].At)
		}
		visit(space.Interval{Low: at, High: last}, active)
	}
	return true
}

// flipped puts a part into the list, or takes it out.
func flipped(list []*Part, p *Part) []*Part {
	if n := slices.Index(list, p); n >= 0 {
		return slices.Delete(list, n, n+1)
	}
	return append(list, p)
}
