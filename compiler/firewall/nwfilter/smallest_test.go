package nwfilter

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/internal/randompolicy"
	"github.com/sbx-dev/sbx/schema"
)

// tcp is a rule for ports that come in.
func tcp(from string, numbers ...uint16) schema.Rule {
	return schema.Rule{In: &schema.Match{TCP: port(numbers...)}, From: strings.Fields(from)}
}

// What a profile says in many rules becomes few of a filter, each with all the lines
// that ask for it. That they are equal, each compilation proves.
func TestSmallest(t *testing.T) {
	ping := func(types ...string) schema.Rule { return schema.Rule{In: &schema.Match{ICMP: types}} }
	anyone := schema.Rule{In: &schema.Match{Any: true}, From: []string{"10.0.0.0/9", "10.128.0.0/9"}}
	bounded := tcp("10.0.0.0/8", 80)
	bounded.Connections = 3
	for name, c := range map[string]struct {
		rules []schema.Rule
		want  []string
	}{
		"ports that touch":     {[]schema.Rule{tcp("10.0.0.0/8", 81, 80), tcp("10.0.0.0/8", 82)}, []string{"in tcp 80-82 from 10.0.0.0/8 [0 1]"}},
		"ports that overlap":   {[]schema.Rule{{In: &schema.Match{TCP: []schema.Ports{{From: 1, To: 9}, {From: 5, To: 20}}}, From: []string{"10.0.0.1"}}}, []string{"in tcp 1-20 from 10.0.0.1 [0]"}},
		"prefixes that touch":  {[]schema.Rule{tcp("10.0.1.0/24", 80), tcp("10.0.0.0/24", 80)}, []string{"in tcp 80 from 10.0.0.0/23 [0 1]"}},
		"the same peers":       {[]schema.Rule{tcp("10.0.0.1 10.0.0.9", 80), tcp("10.0.0.9 10.0.0.1", 80)}, []string{"in tcp 80 from 10.0.0.1, 10.0.0.9 [0 1]"}},
		"what another covers":  {[]schema.Rule{tcp("10.0.0.7", 80), tcp("10.0.0.0/8", 80), tcp("10.0.0.0/8", 443)}, []string{"in tcp 80, 443 from 10.0.0.0/8 [0 1 2]"}},
		"a hole that is wider": {[]schema.Rule{tcp("10.0.0.0/8", 80), tcp("10.0.0.5", 80, 443)}, []string{"in tcp 80 from 10.0.0.0/8 [0 1]", "in tcp 443 from 10.0.0.5 [1]"}},
		"two ways to cut": {[]schema.Rule{tcp("10.0.0.0/25", 80, 443), tcp("10.0.0.128/25", 80, 443), tcp("10.0.0.0/24", 22)},
			[]string{"in tcp 22, 80, 443 from 10.0.0.0/24 [0 1 2]"}},
		"nothing to join": {[]schema.Rule{tcp("10.0.0.1", 443, 80), tcp("10.0.0.3", 25)}, []string{"in tcp 80, 443 from 10.0.0.1 [0]", "in tcp 25 from 10.0.0.3 [1]"}},
		"protocols":       {[]schema.Rule{tcp("10.0.0.1", 53), {In: &schema.Match{UDP: port(53)}, From: []string{"10.0.0.1"}}}, []string{"in tcp 53 from 10.0.0.1 [0]", "in udp 53 from 10.0.0.1 [1]"}},
		"directions":      {[]schema.Rule{tcp("10.0.0.1", 53), {Out: &schema.Match{TCP: port(54)}, To: []string{"10.0.0.1"}}}, []string{"in tcp 53 from 10.0.0.1 [0]", "out tcp 54 to 10.0.0.1 [1]"}},
		"types of ICMP":   {[]schema.Rule{ping("11"), ping("12"), ping("11")}, []string{"in icmp types 11 to 12 from anyone over IPv4 [0 1 2]"}},
		"any protocol":    {[]schema.Rule{anyone, anyone}, []string{"in any protocol from 10.0.0.0/8 [0 1]"}},
		"bounds": {[]schema.Rule{bounded, tcp("10.0.0.0/8", 80), tcp("10.0.0.0/8", 80)},
			[]string{"in tcp 80 from 10.0.0.0/8, 3 connections at once from one address [0]", "in tcp 80 from 10.0.0.0/8 [1]", "in tcp 80 from 10.0.0.0/8 [2]"}},
		"families": {[]schema.Rule{tcp("", 80), tcp("fd00::/64", 81), tcp("fd00::/64", 80)},
			[]string{"in tcp 80 from anyone over IPv4 [0]", "in tcp 80 from anyone over IPv6 [0 2]", "in tcp 81 from fd00::/64 [1]"}},
	} {
		t.Run(name, func(t *testing.T) {
			var many []schema.Rule // where there are few, each stands for itself
			for i := range 17 {
				many = append(many, schema.Rule{Out: &schema.Match{SCTP: port(uint16(2*i + 1))}, To: []string{"10.0.0.1"}})
			}
			compiled, err := Compile(randompolicy.NIC("10.0.0.80", "fd00::80"), allow(append(c.rules, many...)...))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, part := range compiled.Policy.Smallest() {
				if part.From[0] < len(c.rules) {
					got = append(got, fmt.Sprintf("%s %v", part.Rule, part.From))
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Where there are few, each rule of the filter is of one line of the profile, and its
// own ports are joined.
func TestFewRulesKeepTheirLines(t *testing.T) {
	compiled, err := Compile(randompolicy.NIC("10.0.0.80"), allow(tcp("10.0.0.0/8", 81, 80), tcp("10.0.0.0/8", 82), tcp("10.0.0.0/8", 443, 25)))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, part := range compiled.Policy.Smallest() {
		got = append(got, fmt.Sprintf("%s %v", part.Rule, part.From))
	}
	want := []string{"in tcp 80-81 from 10.0.0.0/8 [0]", "in tcp 82 from 10.0.0.0/8 [1]", "in tcp 25, 443 from 10.0.0.0/8 [2]"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Where rules are drawn from all that a profile can say, what is joined is never more
// than what was written, and equal.
func TestSmallestByChance(t *testing.T) {
	r := rand.New(rand.NewPCG(14, 2))
	fewer := 0
	for range 150 {
		c := randomCompiled(t, r) // which proves it
		wrote, becomes := 0, 0
		for _, rule := range c.Policy.Rules() {
			for _, v6 := range []bool{false, true} {
				services := len(rule.Services)
				if rule.Any {
					services = 1
				}
				wrote += len(prefixes(rule.Remotes, v6)) * services
			}
		}
		for _, part := range c.Policy.Smallest() {
			becomes += part.Pairs()
		}
		if becomes > wrote {
			t.Errorf("%d pairs become %d", wrote, becomes)
		}
		if becomes < wrote {
			fewer++
		}
	}
	if fewer < 30 {
		t.Errorf("only %d of the lists became fewer: this test does not see much", fewer)
	}
}

// A rule of the filter says which lines ask for it, as far as there is room.
func TestCommentsOfManyLines(t *testing.T) {
	var rules []schema.Rule
	for i := range 40 {
		rules = append(rules, tcp("", uint16(1000+i)))
	}
	policy, err := firewall.Resolve(randompolicy.NIC("10.0.0.80"), allow(rules...))
	if err != nil {
		t.Fatal(err)
	}
	parts := policy.Smallest()
	if len(parts) != 1 || len(parts[0].From) != len(rules) {
		t.Fatalf("%d parts, the first of %v", len(parts), parts[0].From)
	}
	got := comment(policy, parts[0])
	if !strings.HasPrefix(got, "network.allow[0], network.allow[1], ") || !strings.HasSuffix(got, "], and more") || len(got) > maxComment {
		t.Errorf("%d bytes: %s", len(got), got)
	}
}
