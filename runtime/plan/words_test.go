package plan

import (
	"encoding/json"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/compiler/firewall/nwfilter"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// oneLine says that all stands in its first line.
type oneLine struct{}

func (oneLine) Pos(string) diag.Pos            { return diag.Pos{File: "web.cue", Line: 1, Column: 1} }
func (oneLine) Origin(string) (diag.Pos, bool) { return diag.Pos{}, false }

// filterOf compiles an allow-list, written as JSON.
func filterOf(t *testing.T, rules string) string {
	t.Helper()
	var allow []schema.Rule
	if err := json.Unmarshal([]byte("["+rules+"]"), &allow); err != nil {
		t.Fatal(err)
	}
	c, err := nwfilter.Compile(firewall.Interface{
		Filter: "sbx-web", UUID: "3065bc4e-183d-5916-bd46-22f3bdec8cda", MAC: net.HardwareAddr{2, 0, 0, 0, 0, 1},
		Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.80"), netip.MustParseAddr("fd00::80")},
	}, firewall.Rules{Allow: allow, Path: "network.allow", Source: oneLine{}})
	if err != nil {
		t.Fatal(err)
	}
	return string(c.XML)
}

// What a change of a profile's rules does to its filter is told in the profile's
// words, each with its line.
func TestFilterInWords(t *testing.T) {
	const ssh = `{"in": {"tcp": [22]}}`
	// so many that rules which touch are joined
	many := ssh + strings.Repeat(`, {"in": {"tcp": [24]}, "from": ["10.0.0.1-10.0.0.254"]}`, 2)
	for _, c := range []struct {
		what, old, new string
		want           []string
	}{
		{"a new port", `{"in": {"tcp": [80]}}`, `{"in": {"tcp": [80, "8000-8010"]}}`, []string{"+ in tcp 8000-8010 from anyone (web.cue:1:1)"}},
		{"a rule more", ssh, ssh + `, {"out": {"udp": [53]}, "to": ["10.0.0.1", "fd00::1"]}`, []string{"+ out udp 53 to 10.0.0.1, fd00::1 (web.cue:1:1)"}},
		{"a rule less", ssh + `, {"in": {"any": true}, "from": ["10.0.0.5-10.0.0.9"]}`, ssh, []string{"- in any protocol from 10.0.0.5-10.0.0.9 (web.cue:1:1)"}},
		{"ping", ssh, ssh + `, {"in": {"icmp": ["echo-request"]}}, {"in": {"icmpv6": ["echo-request"]}}`,
			[]string{"+ in icmp type 8 from anyone over IPv4 (web.cue:1:1)", "+ in icmp type 128 from anyone over IPv6 (web.cue:1:1)"}},
		{"another prefix", ssh + `, {"in": {"sctp": [1, 5]}, "from": ["10.0.0.0/9"]}`, ssh + `, {"in": {"sctp": [1, 5]}, "from": ["10.0.0.0/8"]}`,
			[]string{"- in sctp 1, 5 from 10.0.0.0/9 (web.cue:1:1)", "+ in sctp 1, 5 from 10.0.0.0/8 (web.cue:1:1)"}},
		{"a bound", ssh + `, {"in": {"tcp": [80]}, "from": ["10.0.0.0/8"]}`, ssh + `, {"in": {"tcp": [80]}, "from": ["10.0.0.0/8"], "connections": 3}`,
			[]string{"+ in tcp 80 from 10.0.0.0/8: at most 3 connections at once from one address (web.cue:1:1)"}},
		{"a port beside another", `{"in": {"tcp": [80, 82]}}`, `{"in": {"tcp": [80, 81, 82]}}`, []string{"+ in tcp 81 from anyone (web.cue:1:1)"}},
		{"a rule that touches another", ssh, ssh + `, {"in": {"tcp": [23]}}`, []string{"+ in tcp 23 from anyone (web.cue:1:1)"}},
		{"a rule that is joined with another", many, many + `, {"in": {"tcp": [23]}}`, []string{"+ in tcp 23 from anyone (web.cue:1:1)"}},
		{"a rule that parts two", many + `, {"in": {"tcp": [23]}}`, many, []string{"- in tcp 23 from anyone (web.cue:1:1)"}},
		{"a rule between two", `{"in": {"tcp": [22]}, "from": ["10.0.0.0/26"]}, {"in": {"tcp": [22]}, "from": ["10.0.0.128/25"]}`,
			`{"in": {"tcp": [22]}, "from": ["10.0.0.0/26"]}, {"in": {"tcp": [22]}, "from": ["10.0.0.64/26"]}, {"in": {"tcp": [22]}, "from": ["10.0.0.128/25"]}`,
			[]string{"+ in tcp 22 from 10.0.0.64/26 (web.cue:1:1)"}},
		{"a rule out of the middle", `{"in": {"tcp": [1, 2, 3]}}`, `{"in": {"tcp": [1]}}, {"in": {"tcp": [3]}}`, []string{"- in tcp 2 from anyone (web.cue:1:1)"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			got, err := Filter(filterOf(t, c.new), filterOf(t, c.old))
			if err != nil {
				t.Fatal(err)
			}
			var lines []string
			for _, d := range got {
				if d.Live != "" {
					lines = append(lines, "- "+d.Live)
				} else {
					lines = append(lines, "+ "+d.Desired)
				}
			}
			if diff := cmp.Diff(c.want, lines); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Who adds a rule by hand under the comment of a profile's rule hides nothing: what
// it does is read off the rule.
func TestWordsAreNotTheComments(t *testing.T) {
	want := filterOf(t, `{"in": {"tcp": [22]}}`)
	for rule, told := range map[string]string{
		`<rule action='accept' direction='in' priority='1'><all comment='network.allow[0] web.cue:1:1'/></rule>`:                                         "in any protocol from anyone over IPv4 (web.cue:1:1)",
		`<rule action='accept' direction='in' priority='1'><ip comment='network.allow[0] web.cue:1:1'/></rule>`:                                          "accept in ip",
		`<rule action='accept' direction='in' priority='1'><tcp dscp='7' comment='network.allow[0] web.cue:1:1'/></rule>`:                                "accept in tcp dscp=7",
		`<rule action='accept' direction='in' priority='1'><tcp dstportstart='80' state='NEW' comment='network.allow[0] web.cue:1:1'/></rule>`:           "accept in tcp dstportstart=80, state=NEW",
		`<rule action='accept' direction='in' priority='1'><icmp type='8' comment='network.allow[0] web.cue:1:1'/></rule>`:                               "in icmp type 8 from anyone over IPv4 (web.cue:1:1)",
		`<rule action='accept' direction='in' priority='1'><ip srcmacaddr='02:00:00:00:00:07' comment='network.allow[0] web.cue:1:1'/></rule>`:           "accept in ip srcmacaddr=02:00:00:00:00:07",
		`<rule action='accept' direction='in' priority='1'><tcp dstportstart='x' comment='network.allow[0] web.cue:1:1'/></rule>`:                        "accept in tcp dstportstart=x",
		`<rule action='accept' direction='inout' priority='1'><tcp dstportstart='9' comment='network.allow[0] web.cue:1:1'/></rule>`:                     "accept inout tcp dstportstart=9",
		`<rule action='accept' direction='in' priority='1'><tcp dstportstart='9' srcportstart='5' comment='network.allow[0] web.cue:1:1'/></rule>`:       "accept in tcp dstportstart=9, srcportstart=5",
		`<rule action='accept' direction='in' priority='1' statematch='false'><tcp dstportstart='9' comment='network.allow[0] web.cue:1:1'/></rule>`:     "accept in statematch=false, tcp dstportstart=9",
		`<rule action='accept' direction='in' priority='1'><tcp dstportstart='9' comment='network.allow[0] web.cue:1:1'/><udp dstportstart='9'/></rule>`: "accept in tcp dstportstart=9, udp dstportstart=9",
	} {
		live := strings.Replace(want, "</filter>", rule+"</filter>", 1)
		got, err := Filter(want, live)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != 1 || got[0].Live != told || got[0].Desired != "" {
			t.Errorf("%s\nis told as %v, want %q", rule, got, told)
		}
	}
}

// Nor does it hide in what another rule is told as: an answer that may come, too, is
// none.
func TestAnswersGoOneWay(t *testing.T) {
	want := filterOf(t, `{"in": {"tcp": [22]}}`)
	const opens = `<rule action='accept' direction='in' priority='1'><tcp dstportstart='9' comment='network.allow[0] web.cue:1:1'/></rule>`
	for direction, told := range map[string]int{"out": 1, "inout": 2} {
		answers := `<rule action='accept' direction='` + direction + `' priority='1'><ip protocol='tcp' srcportstart='9' comment='network.allow[0] web.cue:1:1'/></rule>`
		got, err := Filter(want, strings.Replace(want, "</filter>", opens+answers+"</filter>", 1))
		if err != nil || len(got) != told {
			t.Errorf("%s: %v, %v", direction, got, err)
		}
	}
}

// Who writes a rule of a filter as two that open the same has changed it all the same.
func TestTheSameInOtherRulesIsToldOf(t *testing.T) {
	want := filterOf(t, `{"in": {"tcp": [22, 23]}, "from": ["10.0.0.1"]}`)
	const joined = `<tcp srcipaddr="10.0.0.1" dstportstart="22" dstportend="23" comment="network.allow[0] web.cue:1:1"></tcp>`
	if strings.Count(want, joined) != 1 {
		t.Fatalf("the filter has no rule of both ports:\n%s", want)
	}
	one := strings.Replace(joined, ` dstportend="23"`, "", 1)
	live := strings.Replace(want, joined, one, 1)
	live = strings.Replace(live, "</filter>", `<rule action="accept" direction="in" priority="101">`+strings.Replace(one, `"22"`, `"23"`, 1)+"</rule></filter>", 1)
	got, err := Filter(want, live)
	if err != nil || len(got) == 0 {
		t.Errorf("%v, %v", got, err)
	}
}
