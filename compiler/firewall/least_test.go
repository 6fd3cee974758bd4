package firewall_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/compiler/firewall/space"
	"github.com/sbx-dev/sbx/internal/randompolicy"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/load"
)

// parsed has the profile's own reader read rules.
func parsed(t *testing.T, rules []string) []schema.Rule {
	t.Helper()
	text := `package web

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name:    "web"
	backend: "lxc"
	run: argv: ["/usr/bin/web"]
	expose: ["/usr"]
	network: {
		attach:  "net"
		address: ["10.0.0.80/24", "fd00::80/64"]
		allow: [
			` + strings.Join(rules, ",\n\t\t\t") + `,
		]
	}
}
`
	profiles, err := (&load.Config{FS: fstest.MapFS{"web.cue": {Data: []byte(text)}}}).Load("web.cue")
	if err != nil {
		t.Fatal(err)
	}
	return profiles[0].Network.Allow
}

// A rule that is proposed is one that a profile can have; with it the packet passes, and
// without it, or with another port or address, it does not. A packet of which it is said
// that no rule can, passes by none that speaks of everything either.
func TestLeast(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	i := randompolicy.NIC("10.0.0.80", "fd00::80")
	closed := resolve(t, i)
	var texts []string
	var packets []space.Packet
	for len(texts) < 300 {
		p := randompolicy.Packet(r, closed)
		p.State = space.New
		if closed.Eval(p).Accept {
			continue
		}
		text, why := firewall.Least(i, p)
		if text != "" {
			texts, packets = append(texts, text), append(packets, p)
			continue
		}
		if why == "" {
			t.Errorf("%s: no rule, and no reason", p)
		}
		icmp := p.Protocol == space.ICMPOf(space.KindOf(p.EtherType)) || p.DstPort == 0 // of which `any` lets pass what nobody names
		if all := resolve(t, i, schema.Rule{In: &schema.Match{Any: true}}, schema.Rule{Out: &schema.Match{Any: true}}); !icmp && all.Eval(p).Accept {
			t.Errorf("%s passes where all does, and no rule was proposed: %s", p, why)
		}
	}
	for n, rule := range parsed(t, texts) {
		p := packets[n]
		policy := resolve(t, i, rule)
		if isError(p) {
			p.State = space.Related
		}
		if !policy.Eval(p).Accept {
			t.Errorf("%s does not pass by %s", p, texts[n])
		}
		other := p
		if p.In {
			other.Src = other.Src.Next()
		} else {
			other.Dst = other.Dst.Next()
		}
		if policy.Eval(other).Accept && !closed.Eval(other).Accept {
			t.Errorf("%s passes by %s, too", other, texts[n])
		}
		other = p
		if other.DstPort++; !(rule.In != nil && rule.In.Any || rule.Out != nil && rule.Out.Any) && p.Protocol != space.ICMPOf(space.KindOf(p.EtherType)) && policy.Eval(other).Accept {
			t.Errorf("%s passes by %s, too", other, texts[n])
		}
	}
}

func isError(p space.Packet) bool {
	table := firewall.ICMPv4
	if p.EtherType == space.EtherIPv6 {
		table = firewall.ICMPv6
	}
	for _, k := range table {
		if k.Type == p.Type && k.Error && p.Protocol == space.ICMPOf(space.KindOf(p.EtherType)) {
			return true
		}
	}
	return false
}

func resolve(t *testing.T, i firewall.Interface, rules ...schema.Rule) *firewall.Policy {
	t.Helper()
	p, err := firewall.Resolve(i, firewall.Rules{Allow: rules, Path: "network.allow"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}
