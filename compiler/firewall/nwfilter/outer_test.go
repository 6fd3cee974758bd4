package nwfilter

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/compiler/firewall/space"
	"github.com/sbx-dev/sbx/internal/randompolicy"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// largePolicy draws a policy of a number of lists.
func largePolicy(t *testing.T, r *rand.Rand, lists int) *firewall.Policy {
	t.Helper()
	for {
		i, rules := randompolicy.Interface(r), randompolicy.Rules(r)
		for range lists - 1 {
			rules.Allow = append(rules.Allow, randompolicy.Rules(r).Allow...)
		}
		var fit []schema.Rule
		for _, rule := range rules.Allow {
			one := rules
			one.Allow = []schema.Rule{rule}
			if _, err := firewall.Resolve(i, one); err == nil && rule.Connections == 0 {
				fit = append(fit, rule)
			}
		}
		rules.Allow = fit
		p, err := firewall.Resolve(i, rules)
		if _, unfit := diag.From(err); !unfit && err != nil {
			t.Fatal(err)
		}
		if err == nil {
			return p
		}
	}
}

// The outer wall has as few rules as it may, has no second layer, and opens nothing of a
// protocol and family of which no rule speaks. That it lets pass what the policy does,
// package nftables proves.
func TestTheOuterWallIsSmall(t *testing.T) {
	r := rand.New(rand.NewPCG(14, 6))
	joined := 0
	for n := range 60 {
		p := largePolicy(t, r, 1+n%20)
		outer, err := Outer(p)
		if err != nil {
			t.Fatal(err)
		}
		patches := patches(p)
		all, least := 0, 0
		for k, list := range patches {
			all += len(list) * weight(p, k)
			least += weight(p, k)
		}
		got := len(outer.Filter.Entries) - fixed(t, p)
		want := all
		if all > MaxOuterRules {
			want = max(least, coverRules)
		}
		if got > want {
			t.Errorf("%d rules become %d of an outer wall, want at most %d", len(p.Rules()), got, want)
		}
		if got < all {
			joined++
		}
		for range 2000 {
			packet := randompolicy.Packet(r, p)
			if v := outer.Model.Eval(packet, true); v.Accept && !spoken(p, packet) {
				t.Fatalf("the outer wall lets %s pass, of which no rule speaks:\n%s", packet, outer.XML)
			}
		}
	}
	if joined < 20 {
		t.Errorf("only %d of 60 policies were too large", joined)
	}
}

// fixed is how many rules an outer wall has without any of the policy.
func fixed(t *testing.T, p *firewall.Policy) int {
	t.Helper()
	l := newLowering(p)
	l.wholeEbtables(nil)
	return len(l.filter.Entries)
}

// spoken says whether a rule speaks of a packet's family and protocol, or none needs to.
func spoken(p *firewall.Policy, packet space.Packet) bool {
	protos := map[uint8]firewall.Proto{space.ProtoTCP: firewall.TCP, space.ProtoUDP: firewall.UDP, space.ProtoSCTP: firewall.SCTP}
	proto, known := protos[packet.Protocol]
	dhcp := p.Interface().DHCP && packet.Protocol == space.ProtoUDP && slices.Contains([]uint16{67, 68}, packet.DstPort)
	if !known || packet.EtherType != space.EtherIPv4 && packet.EtherType != space.EtherIPv6 || dhcp {
		return true
	}
	return slices.ContainsFunc(p.Rules(), func(r firewall.Rule) bool {
		v6 := packet.EtherType == space.EtherIPv6
		return (r.Any || r.Services[0].Proto == proto) && (v6 && r.V6 || !v6 && r.V4)
	})
}

// What lies closest is joined first, and a rule says which lines it stands for.
func TestCover(t *testing.T) {
	var rules []schema.Rule
	for i := range 30 {
		rules = append(rules, tcp(fmt.Sprintf("10.0.0.%d", 2*i+1), 443), tcp(fmt.Sprintf("192.168.%d.9", 2*i), 22))
	}
	p, err := firewall.Resolve(randompolicy.NIC("10.0.0.80"), allow(rules...))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, part := range cover(p, 8, 8) {
		got = append(got, fmt.Sprintf("%s of %d", part, len(part.From)))
	}
	want := "in tcp 443 from 10.0.0.0/26 of 30; in tcp 22 from 192.168.0.0/19 of 16; in tcp 22 from 192.168.32.0/20 of 8; in tcp 22 from 192.168.48.0/20 of 6"
	if strings.Join(got, "; ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "; "), want)
	}
	bounded := tcp("10.0.0.0/8", 80)
	bounded.Connections = 3
	if p, err = firewall.Resolve(randompolicy.NIC("10.0.0.80"), allow(bounded)); err != nil {
		t.Fatal(err)
	}
	if outer, err := Outer(p); outer != nil || err != nil {
		t.Errorf("where connections are counted, the outer wall is another: %v, %v", outer, err)
	}
}
