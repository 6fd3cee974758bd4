package nwfilter

import (
	"flag"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/compiler/firewall/space"
	"github.com/sbx-dev/sbx/internal/guestkernel"
	"github.com/sbx-dev/sbx/internal/randompolicy"
	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/schema"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { testhost.Main(m, guestkernel.Prepare) }

func allow(rules ...schema.Rule) firewall.Rules {
	return firewall.Rules{Allow: rules, Path: "network.allow"}
}

func port(numbers ...uint16) (out []schema.Ports) {
	for _, n := range numbers {
		out = append(out, schema.Ports{From: n, To: n})
	}
	return out
}

// samples are policies that between them use everything that can be lowered.
func samples() map[string]struct {
	nic   firewall.Interface
	rules firewall.Rules
} {
	leasing := randompolicy.NIC()
	leasing.DHCP = true
	web := allow(
		schema.Rule{In: &schema.Match{TCP: port(80, 443)}},
		schema.Rule{In: &schema.Match{TCP: port(22)}, From: []string{"10.0.0.5-10.0.0.9"}, Connections: 3},
		schema.Rule{In: &schema.Match{TCP: port(22)}, From: []string{"fd00::/64"}},
		schema.Rule{In: &schema.Match{ICMP: []string{"echo-request"}}},
		schema.Rule{In: &schema.Match{ICMPv6: []string{"128"}}},
		schema.Rule{Out: &schema.Match{UDP: port(53)}, To: []string{"10.0.0.1"}},
		schema.Rule{Out: &schema.Match{SCTP: []schema.Ports{{From: 5000, To: 5010}}}, To: []string{"db"}},
		schema.Rule{Out: &schema.Match{Any: true}, To: []string{"10.1.0.0/16"}},
		schema.Rule{Out: &schema.Match{ICMP: []string{"destination-unreachable/3"}}},
	)
	web.Peers = map[string][]netip.Addr{"db": {netip.MustParseAddr("10.0.0.7"), netip.MustParseAddr("fd00::7")}}
	return map[string]struct {
		nic   firewall.Interface
		rules firewall.Rules
	}{
		"closed": {randompolicy.NIC("10.0.0.80", "fd00::80"), allow()},
		"web":    {randompolicy.NIC("10.0.0.80", "fd00::80"), web},
		"leased": {leasing, allow(schema.Rule{Out: &schema.Match{TCP: port(443)}})},
	}
}

func TestLowering(t *testing.T) {
	for name, s := range samples() {
		t.Run(name, func(t *testing.T) {
			c, err := Compile(s.nic, s.rules)
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", name+".xml")
			if *update {
				if err := os.WriteFile(golden, c.XML, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(c.XML)); diff != "" {
				t.Errorf("filter differs from %s (-want +got):\n%s", golden, diff)
			}
			out, err := exec.Command("xmllint", "--noout", "--relaxng", "/usr/share/libvirt/schemas/nwfilter.rng", golden).CombinedOutput()
			if err != nil {
				t.Errorf("libvirt's schema refuses the filter: %v\n%s", err, out)
			}
		})
	}
}

// libvirtd's own parser is laxer than its schema in places and stricter in
// others, and what it dumps back is what it understood.
func TestLibvirtUnderstandsTheFilters(t *testing.T) {
	testhost.Need(t)
	for name, s := range samples() {
		c, err := Compile(s.nic, s.rules)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "filter.xml")
		if err := os.WriteFile(file, c.XML, 0o644); err != nil {
			t.Fatal(err)
		}
		virsh(t, "nwfilter-define", file)
		dump := virsh(t, "nwfilter-dumpxml", s.nic.Filter)
		virsh(t, "nwfilter-undefine", s.nic.Filter)
		if want, got := strings.Count(string(c.XML), "<rule "), strings.Count(dump, "<rule "); want != got {
			t.Errorf("%s: %d rules went in, libvirt has %d", name, want, got)
		}
	}
}

func virsh(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("virsh", append([]string{"-q", "-c", "lxc:///system"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("virsh %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestBadRulesAreRefused(t *testing.T) {
	for _, tt := range []struct {
		name string
		rule schema.Rule
		want string
		v6   bool
	}{
		{"both ways", schema.Rule{In: &schema.Match{TCP: port(1)}, Out: &schema.Match{TCP: port(1)}}, "exactly one of in and out", false},
		{"no way", schema.Rule{}, "exactly one of in and out", false},
		{"to with in", schema.Rule{In: &schema.Match{TCP: port(1)}, To: []string{"10.0.0.1"}}, "from goes with in", false},
		{"no protocol", schema.Rule{In: &schema.Match{}}, "exactly one of tcp", false},
		{"unknown peer", schema.Rule{Out: &schema.Match{TCP: port(1)}, To: []string{"nobody"}}, "another sandbox whose addresses are known", false},
		{"host bits", schema.Rule{Out: &schema.Match{TCP: port(1)}, To: []string{"10.0.0.1/8"}}, "write 10.0.0.0/8", false},
		{"backwards", schema.Rule{Out: &schema.Match{TCP: port(1)}, To: []string{"10.0.0.9-10.0.0.5"}}, "lower address to a higher", false},
		{"mapped", schema.Rule{Out: &schema.Match{TCP: port(1)}, To: []string{"::ffff:10.0.0.1"}}, "write 10.0.0.1", false},
		{"zone", schema.Rule{Out: &schema.Match{TCP: port(1)}, To: []string{"fe80::1%eth0"}}, "zone", false},
		{"family", schema.Rule{Out: &schema.Match{TCP: port(1)}, To: []string{"fd00::1"}}, "nothing could match", false},
		{"icmpv6 on ipv4", schema.Rule{In: &schema.Match{ICMPv6: []string{"128"}}}, "no address of the family", false},
		{"icmp reply", schema.Rule{In: &schema.Match{ICMP: []string{"echo-reply"}}}, "replies pass by themselves", false},
		{"limit on ipv6", schema.Rule{In: &schema.Match{TCP: port(1)}, From: []string{"fd00::1"}, Connections: 1}, "IPv4 only", true},
		{"limit on udp", schema.Rule{In: &schema.Match{UDP: port(1)}, Connections: 1}, "only bound tcp", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			addresses := []string{"10.0.0.80"}
			if tt.v6 {
				addresses = append(addresses, "fd00::80")
			}
			_, err := firewall.Resolve(randompolicy.NIC(addresses...), allow(tt.rule))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func TestHugeFiltersAreRefused(t *testing.T) {
	var many []schema.Rule
	for i := range 200 {
		many = append(many, schema.Rule{In: &schema.Match{TCP: port(uint16(2*i+1), uint16(2*i+1001))}, From: []string{"10.0.0.1-10.255.255.254"}})
	}
	_, err := Compile(randompolicy.NIC("10.0.0.80"), allow(many...))
	if err == nil || !strings.Contains(err.Error(), "rules of a packet filter") {
		t.Errorf("got %v, want an error about the filter's size", err)
	}
}

func TestPrefixesCoverARangeExactly(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.5-10.0.0.9":       "[10.0.0.5/32 10.0.0.6/31 10.0.0.8/31]",
		"0.0.0.0-255.255.255.255": "[0.0.0.0/0]",
		"255.255.255.255":         "[255.255.255.255/32]",
		"fd00::/64":               "[fd00::/64]",
		"fd00::-fd00::2":          "[fd00::/127 fd00::2/128]",
		"::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff": "[::/0]",
	} {
		r, err := space.ParseRange(text)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range r.Prefixes() {
			got = append(got, p.String())
		}
		if s := "[" + strings.Join(got, " ") + "]"; s != want {
			t.Errorf("%s is covered by %s, want %s", text, s, want)
		}
	}
}

// Making the chains of a family costs libvirt some forty programs: a filter has
// rules of iptables in the families that its rules speak, and in no other.
func TestLayerBOnlyWhereUsed(t *testing.T) {
	leasing := randompolicy.NIC("fd00::80")
	leasing.DHCP = true
	for name, c := range map[string]struct {
		nic    firewall.Interface
		rules  firewall.Rules
		v4, v6 bool
	}{
		"no rule":              {randompolicy.NIC("10.0.0.80", "fd00::80"), allow(), false, false},
		"a lease and no rule":  {leasing, allow(), false, false},
		"no address of IPv6":   {randompolicy.NIC("10.0.0.80"), allow(schema.Rule{In: &schema.Match{TCP: port(80)}}), true, false},
		"no address of IPv4":   {randompolicy.NIC("fd00::80"), allow(schema.Rule{In: &schema.Match{TCP: port(80)}}), false, true},
		"both, rules of IPv4":  {randompolicy.NIC("10.0.0.80", "fd00::80"), allow(schema.Rule{In: &schema.Match{TCP: port(80)}, From: []string{"10.0.0.0/8"}}), true, false},
		"a lease, rules of v6": {leasing, allow(schema.Rule{In: &schema.Match{TCP: port(80)}, From: []string{"fd00::/8"}}), false, true},
		"both":                 {randompolicy.NIC("10.0.0.80", "fd00::80"), allow(schema.Rule{In: &schema.Match{TCP: port(80)}}), true, true},
	} {
		compiled, err := Compile(c.nic, c.rules)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var v4, v6 bool
		for s, clauses := range compiled.Model.iptables {
			v4 = v4 || s.Kind == space.KindV4 && len(clauses) > 0
			v6 = v6 || s.Kind == space.KindV6 && len(clauses) > 0
		}
		if v4 != c.v4 || v6 != c.v6 {
			t.Errorf("%s: iptables has rules of IPv4: %t, of IPv6: %t, want %t and %t", name, v4, v6, c.v4, c.v6)
		}
	}
}
