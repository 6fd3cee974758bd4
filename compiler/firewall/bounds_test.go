package firewall

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// counting is a rule of a tiny universe in which connections are counted: remote
// 10.0.0.0 to 10.0.0.3, ranges of ports 1 to 3, at most so many at once (0: any
// number).
type counting struct {
	from, to int
	ports    [][2]int
	most     int
}

func randomCounting(r *rand.Rand) []counting {
	rules := make([]counting, r.IntN(4))
	for i := range rules {
		from := r.IntN(4)
		rules[i] = counting{from: from, to: from + r.IntN(4-from), most: r.IntN(4)}
		for range 1 + r.IntN(2) {
			low := 1 + r.IntN(3)
			rules[i].ports = append(rules[i].ports, [2]int{low, low + r.IntN(4-low)})
		}
	}
	return rules
}

func countingPolicy(t *testing.T, rules []counting) *Policy {
	t.Helper()
	var list []schema.Rule
	for _, c := range rules {
		match := new(schema.Match)
		for _, p := range c.ports {
			match.TCP = append(match.TCP, schema.Ports{From: uint16(p[0]), To: uint16(p[1])})
		}
		list = append(list, schema.Rule{In: match, From: schema.List{fmt.Sprintf("10.0.0.%d-10.0.0.%d", c.from, c.to)}, Connections: c.most})
	}
	p, err := Resolve(nic("10.0.0.80"), allow(list...))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// attempt is how many connections an address has at each of the ports 1 to 3.
type attempt [3]int

// admitted opens the connections of an attempt one after the other, as the lowered
// filter counts them: each range of each rule by itself, the first that matches.
func admitted(rules []counting, remote int, l attempt) bool {
	counts := map[[2]int]int{}
	for i, n := range l {
		for range n {
			if !opens(rules, remote, i+1, counts) {
				return false
			}
		}
	}
	return true
}

func opens(rules []counting, remote, port int, counts map[[2]int]int) bool {
	for n, c := range rules {
		for m, p := range c.ports {
			if remote < c.from || remote > c.to || port < p[0] || port > p[1] {
				continue
			}
			counts[[2]int{n, m}]++
			return c.most == 0 || counts[[2]int{n, m}] <= c.most
		}
	}
	return false
}

// admits says whether the first rules admit an attempt that the second do not, of
// ports at which both admit something.
func admitsMore(first, second []counting, remote int) bool {
	const most = 7 // above the sum of two bounds of two rules
	for a := range most {
		for b := range most {
			for c := range most {
				l := attempt{a, b, c}
				for port := range l {
					if !admitted(second, remote, only(port)) {
						l[port] = 0
					}
				}
				if admitted(first, remote, l) && !admitted(second, remote, l) {
					return true
				}
			}
		}
	}
	return false
}

func only(port int) (l attempt) {
	l[port] = 1
	return l
}

// A bound is lifted just where an address can have more connections than before
// at ports that were open to it before.
func TestBoundsAgreeWithBruteForce(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 3000 {
		before, after := randomCounting(r), randomCounting(r)
		c := Compare(countingPolicy(t, before), countingPolicy(t, after))
		for remote := range 4 {
			for _, check := range []struct {
				name string
				got  []Loosening
				want bool
			}{{"loosened", c.Loosened, admitsMore(after, before, remote)}, {"tightened", c.Tightened, admitsMore(before, after, remote)}} {
				if got := names(check.got, remote); got != check.want {
					t.Fatalf("10.0.0.%d: %s is %t, want %t: %v\nold %+v\nnew %+v", remote, check.name, got, check.want, check.got, before, after)
				}
			}
		}
		for _, l := range c.Loosened {
			if got := cellOf(l.Witness); !admitted(after, got.remote, only(got.port-1)) || !admitted(before, got.remote, only(got.port-1)) {
				t.Fatalf("the witness %s of %s is not open in both", l.Witness, l)
			}
		}
	}
}

// names says whether one of the changes is about the remote.
func names(list []Loosening, remote int) bool {
	for _, l := range list {
		for _, r := range l.Remotes {
			if int(r.From.As4()[3]) <= remote && remote <= int(r.To.As4()[3]) {
				return true
			}
		}
	}
	return false
}

// A rule that others cover is called needless only where no bound depends on it.
func TestWarningsMindBounds(t *testing.T) {
	in := func(most int, ports ...schema.Ports) schema.Rule {
		return schema.Rule{In: &schema.Match{TCP: ports}, From: schema.List{"10.0.0.0/8"}, Connections: most}
	}
	one, some := schema.Ports{From: 80, To: 80}, schema.Ports{From: 80, To: 90}
	for _, c := range []struct {
		what  string
		rules []schema.Rule
		gone  []string
	}{
		{"a bound that a wider rule behind it would lift", []schema.Rule{in(3, one), in(0, some)}, nil},
		{"an exception from a bound", []schema.Rule{in(0, one), in(3, some)}, nil},
		{"a bound behind a rule without one", []schema.Rule{in(0, some), in(3, one)}, []string{"network.allow[1]"}},
		{"no bound", []schema.Rule{in(0, one), in(0, some)}, []string{"network.allow[0]"}},
	} {
		p, err := Resolve(nic("10.0.0.80"), allow(c.rules...))
		if err != nil {
			t.Fatal(err)
		}
		var gone []string
		for _, w := range p.Warnings() {
			if w.Code == diag.RedundantRule {
				gone = append(gone, w.Path)
			}
		}
		if fmt.Sprint(gone) != fmt.Sprint(c.gone) {
			t.Errorf("%s: %v can go, want %v", c.what, gone, c.gone)
		}
	}
}

// A rule's words say how it counts.
func TestWordsOfBounds(t *testing.T) {
	for want, ports := range map[string][]schema.Ports{
		"in tcp 80-81 from 10.0.0.0/8, 3 connections at once from one address":          {{From: 80, To: 81}},
		"in tcp 80, 81 from 10.0.0.0/8, 3 connections at once from one address to each": {{From: 80, To: 80}, {From: 81, To: 81}},
	} {
		p, err := Resolve(nic("10.0.0.80"), allow(schema.Rule{In: &schema.Match{TCP: ports}, From: schema.List{"10.0.0.0/8"}, Connections: 3}))
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Rules()[0].String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
