package nftables_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sbx-dev/sbx/compiler/firewall/nftables"
	"github.com/sbx-dev/sbx/compiler/firewall/space"
	"github.com/sbx-dev/sbx/internal/randompolicy"
)

// finds says whether any of the lookups finds something in the table.
func finds(table *nftables.Table, lookups []nftables.Lookup) bool {
	return slices.ContainsFunc(lookups, func(l nftables.Lookup) bool {
		i := slices.IndexFunc(table.Sets, func(s nftables.Set) bool { return s.Name == l.Set })
		return i >= 0 && slices.ContainsFunc(table.Sets[i].Elements, func(e nftables.Element) bool {
			for n, k := range e.Key {
				if bytes.Compare(l.Fields[n], k.Low) < 0 || bytes.Compare(l.Fields[n], k.High) > 0 {
					return false
				}
			}
			return len(e.Key) == len(l.Fields)
		})
	})
}

// A packet of the interface's own opens a conversation, answers one or tells of a fault in
// one just where the lookups find it.
func TestLookups(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	opened, answered := 0, 0
	for range 300 {
		policy, table, _ := randomWalls(t, r)
		wall, err := nftables.Model(table)
		if err != nil {
			t.Fatal(err)
		}
		for range 200 {
			p := randompolicy.Packet(r, policy)
			kind := space.KindOf(p.EtherType)
			own := policy.Locals(kind == space.KindV6)
			if kind != space.KindV4 && kind != space.KindV6 || len(own) == 0 || policy.Interface().DHCP {
				continue
			}
			icmp := p.Protocol == space.ICMPOf(kind)
			if p.In {
				p.Dst = own[0]
			} else {
				p.Src, p.SrcMAC = own[0], policy.Interface().MAC
			}
			if icmp && kind == space.KindV6 && p.Type >= 130 { // discovery, which no rule opens
				continue
			}
			p.State = space.New
			opens := wall.Eval(p).Accept
			if icmp {
				p.State = space.Related
				opens = opens || wall.Eval(p).Accept
			}
			if got := finds(table, nftables.Opening(p)); got != opens {
				t.Fatalf("%s opens %t, and is found: %t\n%s", p, opens, got, table.Text())
			}
			if opens {
				opened++
			}
			if icmp {
				continue
			}
			p.State = space.Reply
			answers := wall.Eval(p).Accept
			if got := finds(table, nftables.Answering(p)); got != answers {
				t.Fatalf("%s answers %t, and is found: %t\n%s", p, answers, got, table.Text())
			}
			if answers {
				answered++
			}
		}
	}
	if opened < 100 || answered < 100 {
		t.Errorf("%d opened and %d answered: that shows nothing", opened, answered)
	}
}
