package firewall

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/sbx-dev/sbx/compiler/firewall/space"
	"github.com/sbx-dev/sbx/schema"
)

// small is a rule of a tiny universe: remote 10.0.0.0 to 10.0.0.7, port 1 to 8,
// tcp or udp. It is the brute force's own notion of a rule.
type small struct {
	in                bool
	udp               bool
	from, to          int
	lowPort, highPort int
}

func randomSmall(r *rand.Rand) []small {
	rules := make([]small, r.IntN(7))
	for i := range rules {
		from, low := r.IntN(8), 1+r.IntN(8)
		rules[i] = small{r.IntN(2) == 0, r.IntN(2) == 0, from, from + r.IntN(8-from), low, low + r.IntN(9-low)}
	}
	return rules
}

func smallPolicy(t *testing.T, rules []small) *Policy {
	t.Helper()
	var list []schema.Rule
	for _, s := range rules {
		match := &schema.Match{}
		ports := []schema.Ports{{From: uint16(s.lowPort), To: uint16(s.highPort)}}
		if s.udp {
			match.UDP = ports
		} else {
			match.TCP = ports
		}
		remote := schema.List{fmt.Sprintf("10.0.0.%d-10.0.0.%d", s.from, s.to)}
		if s.in {
			list = append(list, schema.Rule{In: match, From: remote})
		} else {
			list = append(list, schema.Rule{Out: match, To: remote})
		}
	}
	p, err := Resolve(nic("10.0.0.80"), allow(list...))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// cell is one conversation of the tiny universe.
type cell struct {
	in, udp      bool
	remote, port int
}

func bruteForce(rules []small) map[cell]bool {
	out := map[cell]bool{}
	for _, s := range rules {
		for remote := s.from; remote <= s.to; remote++ {
			for port := s.lowPort; port <= s.highPort; port++ {
				out[cell{s.in, s.udp, remote, port}] = true
			}
		}
	}
	return out
}

func cellsOf(t *testing.T, differences []Difference) map[cell]bool {
	t.Helper()
	out := map[cell]bool{}
	for _, d := range differences {
		for _, r := range d.Remotes {
			for a := r.From; ; a = a.Next() {
				for _, s := range d.Services {
					for port := int(s.Low); port <= int(s.High); port++ {
						out[cell{d.In, s.Proto == UDP, int(a.As4()[3]), port}] = true
					}
				}
				if a == r.To {
					break
				}
			}
		}
	}
	return out
}

func cellOf(p space.Packet) cell {
	remote := p.Src
	if !p.In {
		remote = p.Dst
	}
	return cell{p.In, p.Protocol == space.ProtoUDP, int(remote.As4()[3]), int(p.DstPort)}
}

func minus(a, b map[cell]bool) map[cell]bool {
	out := map[cell]bool{}
	for c := range a {
		if !b[c] {
			out[c] = true
		}
	}
	return out
}

func TestCompareAgreesWithBruteForce(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		before, after := randomSmall(r), randomSmall(r)
		old, new := smallPolicy(t, before), smallPolicy(t, after)
		inOld, inNew := bruteForce(before), bruteForce(after)
		c := Compare(old, new)
		for _, check := range []struct {
			name string
			got  []Difference
			want map[cell]bool
			by   *Policy
		}{{"added", c.Added, minus(inNew, inOld), new}, {"removed", c.Removed, minus(inOld, inNew), old}} {
			if got := cellsOf(t, check.got); !equalCells(got, check.want) {
				t.Fatalf("%s: got %v, want %v\nold %+v\nnew %+v", check.name, got, check.want, before, after)
			}
			for _, d := range check.got {
				if !check.want[cellOf(d.Witness)] {
					t.Fatalf("%s: the witness %s is not in the set\nold %+v\nnew %+v", check.name, d.Witness, before, after)
				}
				if v := check.by.Eval(d.Witness); !v.Accept {
					t.Fatalf("%s: the witness %s does not pass", check.name, d.Witness)
				}
			}
		}
	}
}

func equalCells(a, b map[cell]bool) bool {
	return len(minus(a, b)) == 0 && len(minus(b, a)) == 0
}

func TestWarningsNameWhatCanGo(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 5000 {
		rules := randomSmall(r)
		p := smallPolicy(t, rules)
		gone := map[string]bool{}
		for _, w := range p.Warnings() {
			gone[w.Path] = true
			if len(w.Notes) == 0 {
				t.Fatalf("%s is covered by nobody: %+v", w.Path, rules)
			}
			var by []small
			self := rules[slices.IndexFunc(p.rules, func(q Rule) bool { return q.Path == w.Path })]
			for _, n := range w.Notes {
				for i, q := range p.rules {
					if len(n.Message) > len(q.Path) && n.Message[:len(q.Path)+1] == q.Path+":" {
						by = append(by, rules[i])
					}
				}
			}
			if left := minus(bruteForce([]small{self}), bruteForce(by)); len(left) > 0 {
				t.Fatalf("%s is not covered by %+v", w.Path, by)
			}
		}
		var kept []small
		for i, q := range p.rules {
			if !gone[q.Path] {
				kept = append(kept, rules[i])
			}
		}
		if !equalCells(bruteForce(rules), bruteForce(kept)) {
			t.Fatalf("without the covered rules less passes: %+v", rules)
		}
		for i := range kept {
			if equalCells(bruteForce(kept), bruteForce(slices.Delete(slices.Clone(kept), i, i+1))) {
				t.Fatalf("rule %+v could go too, of %+v", kept[i], rules)
			}
		}
	}
}
