package firewall

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"libvirt.org/go/libvirtxml"

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
	p, err := Resolve(card("10.0.0.80"), allow(list...))
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

func cellOf(p Packet) cell {
	remote := p.Src
	if !p.In {
		remote = p.Dst
	}
	return cell{p.In, p.Protocol == ipUDP, int(remote.As4()[3]), int(p.DstPort)}
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
			self := rules[p.indexOf(Rule{Path: w.Path})]
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

// The walk over regions is checked against a walk over points, with every
// verdict and chains.
func TestPartitionAgreesWithPoints(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	universe := box{}
	dims := []int{dState, dSrc, dDstPort}
	for _, d := range dims {
		universe[d] = span(0, 4)
	}
	for range 20000 {
		var clauses []clause
		for list := range 2 {
			first := len(clauses)
			for range r.IntN(6) {
				b := everything()
				for _, d := range dims {
					if low := r.Uint64N(5); r.IntN(3) > 0 {
						b[d] = span(low, low+r.Uint64N(5-low))
					}
				}
				clauses = append(clauses, clause{box: b, list: list, verdict: verdict(r.IntN(3)), chain: r.IntN(3), rule: len(clauses)})
			}
			of := clauses[first:]
			slices.SortStableFunc(of, func(a, b clause) int { return a.chain - b.chain })
		}
		seen := map[point]bool{}
		err := partition(universe, clauses, func(reg *region, matching []int32) error {
			return eachPoint(reg, func(p point) error {
				if seen[p] {
					return fmt.Errorf("point %v lies in two regions", p)
				}
				seen[p] = true
				rest := matching
				for list := range 2 {
					var of []int32
					of, rest = firstList(clauses, rest, list)
					if got, want := ruleOf(decide(clauses, of)), walk(clauses, list, &p); got != want {
						return fmt.Errorf("at %v list %d is decided by %d, want %d", p, list, got, want)
					}
				}
				return nil
			})
		})
		if err != nil || len(seen) != 125 {
			t.Fatalf("%v; %d points seen, want 125; clauses %+v", err, len(seen), clauses)
		}
	}
}

func eachPoint(r *region, f func(point) error) error {
	for _, state := range r[dState] {
		for a := state.low.lo; a <= state.high.lo; a++ {
			for _, src := range r[dSrc] {
				for b := src.low.lo; b <= src.high.lo; b++ {
					for _, port := range r[dDstPort] {
						for c := port.low.lo; c <= port.high.lo; c++ {
							p := point{dState: number(a), dSrc: number(b), dDstPort: number(c)}
							if err := f(p); err != nil {
								return err
							}
						}
					}
				}
			}
		}
	}
	return nil
}

// walk goes through the clauses as a kernel would.
func walk(clauses []clause, list int, p *point) int {
	left := map[int]bool{}
	for _, c := range clauses {
		if c.list != list || left[c.chain] || !c.box.has(p) {
			continue
		}
		if c.verdict == leave && c.chain != 0 {
			left[c.chain] = true
			continue
		}
		return c.rule
	}
	return -1
}

func ruleOf(c *clause) int {
	if c == nil {
		return -1
	}
	return c.rule
}

// randomRules draws an allow-list from all that a profile can say.
func randomRules(r *rand.Rand) Rules {
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	remotes := func() (out []string) {
		for range r.IntN(3) {
			out = append(out, pick("10.0.0.0/8", "10.0.0.9", "10.0.0.5-10.0.0.77", "192.168.0.0/16", "fd00::/64", "fd00::9", "fd00::1-fd00::ff", "0.0.0.0/0", "db"))
		}
		return out
	}
	ports := func() (out []schema.Ports) {
		for range 1 + r.IntN(3) {
			low := uint16(1 + r.IntN(65535))
			if r.IntN(2) == 0 {
				low = []uint16{22, 53, 80, 443, 65535}[r.IntN(5)]
			}
			high := low
			if r.IntN(3) == 0 {
				high = low + uint16(r.IntN(65536-int(low)))
			}
			out = append(out, schema.Ports{From: low, To: high})
		}
		return out
	}
	var list []schema.Rule
	for range r.IntN(8) {
		var m schema.Match
		switch r.IntN(8) {
		case 0, 1:
			m.UDP = ports()
		case 2:
			m.SCTP = ports()
		case 3:
			m.ICMP = []string{pick("echo-request", "13", "destination-unreachable/4", "time-exceeded")}
		case 4:
			m.ICMPv6 = []string{pick("echo-request", "packet-too-big", "1/4")}
		case 5:
			m.Any = true
		default:
			m.TCP = ports()
		}
		if r.IntN(2) == 0 {
			rule := schema.Rule{In: &m, From: remotes()}
			if m.TCP != nil && r.IntN(4) == 0 {
				rule.From, rule.Connections = []string{"10.0.0.0/8"}, 1+r.IntN(5)
			}
			list = append(list, rule)
			continue
		}
		list = append(list, schema.Rule{Out: &m, To: remotes()})
	}
	out := allow(list...)
	out.Peers = map[string][]netip.Addr{"db": {netip.MustParseAddr("10.0.0.7"), netip.MustParseAddr("fd00::7")}}
	return out
}

func randomCard(r *rand.Rand) Interface {
	i := card([][]string{{"10.0.0.80"}, {"10.0.0.80", "fd00::80"}, {"fd00::80"}, {"10.0.0.80", "10.0.0.81", "fd00::80", "fd00:1::80"}, {}}[r.IntN(5)]...)
	i.DHCP = len(i.Addresses) == 0
	return i
}

// randomCompiled draws until the rules fit the card.
func randomCompiled(t *testing.T, r *rand.Rand) *Compiled {
	t.Helper()
	for {
		c, err := Compile(randomCard(r), randomRules(r))
		if proof := (*ProofError)(nil); errors.As(err, &proof) {
			t.Fatal(err)
		}
		if err == nil {
			return c
		}
	}
}

func TestProofHoldsForRandomProfiles(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	n := 5000
	if testing.Short() {
		n = 300
	}
	for range n {
		randomCompiled(t, r)
	}
}

// A proof that cannot fail proves nothing: break filters, and where the proof
// still holds, no packet may tell the broken filter from the whole one.
func TestProofNoticesBrokenFilters(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	caught, n := 0, 1000
	if testing.Short() {
		n = 200
	}
	for range n {
		c := randomCompiled(t, r)
		what := breakFilter(r, c.Filter)
		text, err := c.Filter.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		broken, err := c.Policy.read([]byte(text))
		if err != nil {
			caught++ // not even readable
			continue
		}
		err = c.Policy.Prove(broken)
		if proof := (*ProofError)(nil); errors.As(err, &proof) {
			caught++
			checkProofPacket(t, c.Policy, broken, proof)
			continue
		}
		for range 2000 {
			p := randomPacket(r, c.Policy)
			for _, nfCall := range []bool{true, false} {
				if broken.Eval(p, nfCall).Accept != c.Model.Eval(p, nfCall).Accept {
					t.Fatalf("%s goes unnoticed, but %s (%s, %t) tells the filters apart\n%s", what, p, p.Source, nfCall, text)
				}
			}
		}
	}
	if caught < n/2 {
		t.Errorf("only %d of %d broken filters were noticed", caught, n)
	}
}

// checkProofPacket asks the model of the broken filter about the proof's packet.
func checkProofPacket(t *testing.T, p *Policy, broken *Filter, proof *ProofError) {
	t.Helper()
	if got := broken.Eval(proof.Packet, proof.NFCall).Accept; got == proof.Want {
		t.Fatalf("the proof's packet %s passes: %t, as the policy wants", proof.Packet, got)
	}
	if proof.NFCall && p.Eval(proof.Packet).Accept != proof.Want {
		t.Fatalf("the policy does not want %s: %t", proof.Packet, proof.Want)
	}
}

// breakFilter changes one rule and says how.
func breakFilter(r *rand.Rand, f *libvirtxml.NWFilter) string {
	n := r.IntN(len(f.Entries))
	rule := f.Entries[n].Rule
	switch r.IntN(4) {
	case 0:
		f.Entries = slices.Delete(f.Entries, n, n+1)
		return fmt.Sprintf("rule %d removed", n)
	case 1:
		rule.Action = map[string]string{"accept": "drop", "drop": "accept"}[rule.Action]
		return fmt.Sprintf("rule %d turned around", n)
	case 2:
		rule.Direction = map[string]string{"in": "out", "out": "in", "inout": "in"}[rule.Direction]
		return fmt.Sprintf("direction of rule %d", n)
	default:
		rule.Priority = r.IntN(1999) - 1000
		if rule.Priority >= 0 {
			rule.Priority++
		}
		return fmt.Sprintf("priority of rule %d", n)
	}
}

// randomPacket draws a packet near to what policies speak of.
func randomPacket(r *rand.Rand, p *Policy) Packet {
	pick := func(words ...string) netip.Addr { return netip.MustParseAddr(words[r.IntN(len(words))]) }
	packet := Packet{In: r.IntN(2) == 0, Source: Source(r.IntN(3)), State: State(r.IntN(int(numStates))), EtherType: etherIPv4,
		SrcMAC: someMAC, DstMAC: p.iface.MAC, Protocol: []uint8{ipTCP, ipTCP, ipUDP, ipSCTP, ipICMP, ipICMPv6, 47}[r.IntN(7)]}
	remote, own := pick("10.0.0.9", "10.0.0.7", "10.0.0.60", "192.168.3.4", "8.8.8.8"), pick("10.0.0.80", "10.0.0.81", "0.0.0.1", "10.0.0.82", "0.0.0.0")
	if r.IntN(2) == 0 {
		packet.EtherType = etherIPv6
		remote, own = pick("fd00::9", "fd00::7", "fd00::ff", "2001:db8::1", "fe80::1"), pick("fd00::80", "fd00:1::80", "fe80::ff:fe00:1", "::", "fd00::81")
	}
	port := func() uint16 { return []uint16{22, 53, 80, 443, 65535, 68, 67, uint16(r.IntN(65536))}[r.IntN(8)] }
	packet.Src, packet.Dst, packet.SrcPort, packet.DstPort = remote, own, port(), port()
	packet.Type, packet.Code = []uint8{0, 8, 3, 128, 129, 1, 2, 135, 134, 13, 14}[r.IntN(11)], uint8(r.IntN(6))
	if !packet.In {
		packet.Src, packet.Dst = own, remote
		if packet.SrcMAC = p.iface.MAC; r.IntN(5) == 0 {
			packet.SrcMAC = someMAC
		}
	}
	switch r.IntN(12) {
	case 0:
		packet.EtherType = etherVLAN
	case 1:
		packet.EtherType, packet.Protocol = etherARP, 1
		packet.ARPSource, packet.ARPTarget = packet.SrcMAC, someMAC
		packet.Src, packet.Dst = pick("10.0.0.80", "0.0.0.0", "10.0.0.81", "0.0.0.1"), pick("10.0.0.9", "10.0.0.80")
	}
	return packet
}
