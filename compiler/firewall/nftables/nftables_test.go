package nftables_test

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/compiler/firewall/nftables"
	"github.com/sbx-dev/sbx/compiler/firewall/nwfilter"
	"github.com/sbx-dev/sbx/compiler/firewall/space"
	"github.com/sbx-dev/sbx/internal/randompolicy"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const device = "sbx0123456789ab"

// walls compiles both walls of the rules.
func walls(t *testing.T, i firewall.Interface, rules firewall.Rules) (*firewall.Policy, *nftables.Table, *nwfilter.Filter) {
	t.Helper()
	p, err := firewall.Resolve(i, rules)
	if _, unfit := diag.From(err); unfit {
		return nil, nil, nil
	}
	if err != nil {
		t.Fatal(err)
	}
	outer, err := nwfilter.Outer(p)
	if err == nil && outer == nil {
		outer, err = alone(p)
	}
	if err != nil {
		t.Fatal(err)
	}
	table, err := nftables.Compile(p, device)
	if err != nil {
		t.Fatal(err)
	}
	return p, table, outer.Model
}

// alone is the filter that enforces a policy by itself.
func alone(p *firewall.Policy) (*nwfilter.Compiled, error) {
	parts, err := nwfilter.Parts(p)
	if err != nil {
		return nil, err
	}
	return nwfilter.Lower(p, parts)
}

// randomWalls draws until the rules fit the interface.
func randomWalls(t *testing.T, r *rand.Rand) (*firewall.Policy, *nftables.Table, *nwfilter.Filter) {
	t.Helper()
	for {
		rules := randompolicy.Rules(r)
		for range r.IntN(3) { // now and then more than an outer wall says exactly
			rules.Allow = append(rules.Allow, randompolicy.Rules(r).Allow...)
		}
		if p, table, outer := walls(t, randompolicy.Interface(r), rules); p != nil {
			return p, table, outer
		}
	}
}

func prove(p *firewall.Policy, table *nftables.Table, outer *nwfilter.Filter) error {
	w, err := nftables.Model(table)
	if err != nil {
		return err
	}
	return nftables.Prove(p, w, outer)
}

// Whatever a profile allows, the inner wall is that, exactly; no elements of a set
// overlap; and what is written can be read.
func TestRandomPoliciesAreProven(t *testing.T) {
	r := rand.New(rand.NewPCG(14, 2))
	for range 100 {
		p, table, outer := randomWalls(t, r)
		if err := prove(p, table, outer); err != nil {
			t.Fatal(err)
		}
		for _, s := range table.Sets {
			for i, a := range s.Elements {
				for _, b := range s.Elements[:i] {
					if overlap(a, b) {
						t.Fatalf("%s: two elements of %s overlap: %v and %v", p.Rules(), s.Name, a, b)
					}
				}
			}
		}
		data, err := table.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := nftables.Decode(data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(table, again, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("what was read is not what was written:\n%s", diff)
		}
	}
}

func overlap(a, b nftables.Element) bool {
	for i := range a.Key {
		if slices.Compare(a.Key[i].High, b.Key[i].Low) < 0 || slices.Compare(b.Key[i].High, a.Key[i].Low) < 0 {
			return false
		}
	}
	return true
}

// The model and the policy agree on single packets; where the two walls are asked one
// by one, no packet from anywhere passes both that the policy does not let pass.
func TestPacketsOneByOne(t *testing.T) {
	r := rand.New(rand.NewPCG(14, 4))
	passed := 0
	for range 100 {
		p, table, outer := randomWalls(t, r)
		w, err := nftables.Model(table)
		if err != nil {
			t.Fatal(err)
		}
		exact := p.Exact()
		for range 300 {
			packet := randompolicy.Packet(r, p)
			s, at := packet.Place()
			want := false
			for _, c := range exact[s] {
				want = want || c.Box.Has(&at)
			}
			if got := w.Eval(packet).Accept && outer.Eval(packet, true).Accept; got != want {
				t.Fatalf("%s from %s: both walls say %t, the policy %t\n%s", packet, packet.Source, got, want, table.Text())
			}
			if want {
				passed++
			}
		}
	}
	if passed < 500 {
		t.Errorf("only %d packets passed", passed)
	}
}

// breakTable changes one thing of a table and says what.
func breakTable(r *rand.Rand, t *nftables.Table) string {
	c := &t.Chains[r.IntN(len(t.Chains))]
	n := r.IntN(len(c.Rules))
	rule := &c.Rules[n]
	switch r.IntN(5) {
	case 0:
		c.Rules = slices.Delete(c.Rules, n, n+1)
		return fmt.Sprintf("rule %d of %s removed", n, c.Name)
	case 1:
		if rule.Verdict == nftables.Accept {
			rule.Verdict = nftables.Drop
		} else {
			rule.Verdict, rule.Log, rule.Chain = nftables.Accept, false, ""
		}
		return fmt.Sprintf("rule %d of %s turned around", n, c.Name)
	case 2:
		if len(rule.Match) == 0 {
			return ""
		}
		m := r.IntN(len(rule.Match))
		rule.Match = slices.Delete(rule.Match, m, m+1)
		return fmt.Sprintf("match %d of rule %d of %s removed", m, n, c.Name)
	}
	s := &t.Sets[r.IntN(len(t.Sets))]
	if len(s.Elements) == 0 {
		return ""
	}
	n = r.IntN(len(s.Elements))
	if r.IntN(2) == 0 {
		s.Elements = slices.Delete(s.Elements, n, n+1)
		return fmt.Sprintf("element %d of %s removed", n, s.Name)
	}
	key := s.Elements[n].Key[r.IntN(len(s.Types))]
	key.High[len(key.High)-1] ^= 1
	return fmt.Sprintf("element %d of %s changed", n, s.Name)
}

// A table in which anything is changed is not taken for what it was. A change that
// changes nothing for any packet is none.
func TestABrokenTableIsFound(t *testing.T) {
	r := rand.New(rand.NewPCG(14, 3))
	found, same := 0, map[string]int{}
	for range 300 {
		p, table, outer := randomWalls(t, r)
		how := breakTable(r, table)
		if how == "" {
			continue
		}
		if err := prove(p, table, outer); err != nil {
			found++
			continue
		}
		same[how]++
		w, err := nftables.Model(table)
		if err != nil {
			t.Fatal(err)
		}
		exact := p.Exact()
		for range 2000 {
			packet := randompolicy.Packet(r, p)
			s, at := packet.Place()
			want := slices.ContainsFunc(exact[s], func(c space.Clause) bool { return c.Box.Has(&at) })
			if got := w.Eval(packet).Accept && outer.Eval(packet, true).Accept; got != want {
				t.Fatalf("%s: %s passes: %t, by the rules %t, and the proof did not see it", how, packet, got, want)
			}
		}
	}
	t.Logf("%d found; alike: %v", found, same)
	if found < 150 {
		t.Errorf("only %d of 300 changes were found", found)
	}
}

func port(numbers ...uint16) (out []schema.Ports) {
	for _, n := range numbers {
		out = append(out, schema.Ports{From: n, To: n})
	}
	return out
}

// The golden tables are what a person reads of a bundle, and nft takes them.
func TestText(t *testing.T) {
	web := firewall.Rules{Path: "network.allow", Peers: map[string][]netip.Addr{"db": {netip.MustParseAddr("10.0.0.7"), netip.MustParseAddr("fd00::7")}}, Allow: []schema.Rule{
		{In: &schema.Match{TCP: port(80, 443)}},
		{In: &schema.Match{TCP: port(22)}, From: []string{"10.0.0.5-10.0.0.9"}},
		{In: &schema.Match{TCP: port(22, 80)}, From: []string{"10.0.0.0/24", "fd00::/64"}},
		{In: &schema.Match{ICMP: []string{"echo-request"}}},
		{In: &schema.Match{ICMPv6: []string{"128"}}},
		{Out: &schema.Match{UDP: port(53)}, To: []string{"10.0.0.1"}},
		{Out: &schema.Match{SCTP: []schema.Ports{{From: 5000, To: 5010}}}, To: []string{"db"}},
		{Out: &schema.Match{Any: true}, To: []string{"10.1.0.0/16"}},
		{Out: &schema.Match{ICMP: []string{"destination-unreachable/3"}}},
	}}
	closed := firewall.Rules{Path: "network.allow"}
	leasing := randompolicy.NIC()
	leasing.DHCP = true
	for name, c := range map[string]struct {
		nic   firewall.Interface
		rules firewall.Rules
	}{
		"closed": {randompolicy.NIC("10.0.0.80", "fd00::80"), closed},
		"web":    {randompolicy.NIC("10.0.0.80", "fd00::80"), web},
		"leased": {leasing, firewall.Rules{Path: "network.allow", Allow: []schema.Rule{{Out: &schema.Match{TCP: port(443)}}}}},
	} {
		t.Run(name, func(t *testing.T) {
			_, table, _ := walls(t, c.nic, c.rules)
			golden := filepath.Join("testdata", name+".nft")
			if *update {
				if err := os.WriteFile(golden, table.Text(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(table.Text())); diff != "" {
				t.Errorf("run with -update and read the difference:\n%s", diff)
			}
			checkByNft(t, table.Text())
		})
	}
}

// asksConntrack is what a kernel without conntrack for bridges refuses. Whether it means
// what the model says, packets tell: make test-firewall.
var asksConntrack = regexp.MustCompile(`ct state \S+ (ct direction \S+ )?`)

// checkByNft has nft read the text, and the kernel check all that this one has.
func checkByNft(t *testing.T, text []byte) {
	t.Helper()
	nft := exec.Command("unshare", "-rn", "nft", "-c", "-f", "-")
	nft.Stdin = bytes.NewReader(asksConntrack.ReplaceAll(text, nil))
	if out, err := nft.CombinedOutput(); err != nil {
		t.Errorf("nft refuses the table: %v\n%s", err, out)
	}
}

// A document that is no table is refused, and says why.
func TestDecodeRefuses(t *testing.T) {
	r := rand.New(rand.NewPCG(14, 5))
	_, table, _ := randomWalls(t, r)
	data, err := table.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct{ old, new, want string }{
		"no JSON":             {"{", "", "no table"},
		"another field":       {`"device"`, `"devices"`, "unknown field"},
		"a hostile name":      {`"sbx-test"`, `"x; flush ruleset"`, "cannot be called"},
		"a chain that is not": {`"chain":"out"`, `"chain":"inn"`, "goes to chain"},
		"no verdict":          {`"accept"`, `"queue"`, "no verdict"},
		"no field":            {`"ether saddr"`, `"ether daddr"`, "compares"},
		"no type":             {`"inet_service"`, `"mark"`, "no type"},
	} {
		broken := strings.Replace(string(data), c.old, c.new, 1)
		if _, err := nftables.Decode([]byte(broken)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
