package review

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/internal/randomprofile"
	"github.com/sbx-dev/sbx/schema"
)

// No verdict calls a change harmless that widens anything: each packet, each number
// of connections, each path and every amount of a small world is tried by a reading
// of the profiles that knows nothing of how they are compared.
func TestNoVerdictHidesAWidening(t *testing.T) {
	m := &randomprofile.Maker{Rand: rand.New(rand.NewPCG(23, 23)), Bridge: "br0"}
	seen := map[Verdict]int{}
	for n := range 2000 {
		before := m.Profile("web")
		after := changed(m, before)
		if n%50 == 0 {
			after.Name = "www"
		}
		for _, pair := range [][2]*schema.Profile{{before, after}, {after, before}} {
			report, err := Compare(Version{Profile: pair[0]}, Version{Profile: pair[1]})
			if err != nil {
				continue // one of them is none that the schema takes
			}
			seen[report.Verdict]++
			wider, narrower := wider(pair[0], pair[1]), wider(pair[1], pair[0])
			if harmless := report.Verdict == Equivalent || report.Verdict == Narrowed; harmless && wider != "" {
				t.Fatalf("the verdict is %s, but it widens %s\n%s\n%s", report.Verdict, wider, text(pair[0]), text(pair[1]))
			}
			if report.Verdict == Equivalent && narrower != "" {
				t.Fatalf("the verdict is %s, but it narrows %s\n%s\n%s", report.Verdict, narrower, text(pair[0]), text(pair[1]))
			}
		}
	}
	for _, v := range []Verdict{Equivalent, Narrowed, Widened, Incomparable} {
		if seen[v] < 20 {
			t.Errorf("too few pairs are %s to say anything: %v", v, seen)
		}
	}
}

// changed is a profile that differs from another in little, or in all.
func changed(m *randomprofile.Maker, p *schema.Profile) *schema.Profile {
	other := m.Profile(p.Name)
	switch one := m.IntN(8); {
	case one == 0:
		return other
	case one < 4 && p.Backend == other.Backend: // what one of them has the other may have
		return mixed(m, p, other, 1+m.IntN(8))
	case one < 6 && p.Network != nil:
		with := *p
		n := *p.Network
		n.Allow = changedRules(m, n.Allow)
		with.Network = &n
		return &with
	}
	all := variants(reflect.ValueOf(*p), "")
	with := all[m.IntN(len(all))].value.Interface().(schema.Profile)
	return &with
}

// mixed is a profile with one in so many fields from another.
func mixed(m *randomprofile.Maker, of, other *schema.Profile, rare int) *schema.Profile {
	p := *of
	to, from := reflect.ValueOf(&p).Elem(), reflect.ValueOf(other).Elem()
	for i := range to.NumField() {
		if m.IntN(rare) == 0 {
			to.Field(i).Set(from.Field(i))
		}
	}
	if p.Network != nil {
		p.Networks = nil
	}
	return &p
}

// changedRules are rules in another order, with one more, in parts or with another
// bound.
func changedRules(m *randomprofile.Maker, rules []schema.Rule) []schema.Rule {
	rules = slices.Clone(rules)
	if len(rules) == 0 {
		return []schema.Rule{m.Rule()}
	}
	i := m.IntN(len(rules))
	switch r := &rules[i]; m.IntN(4) {
	case 0:
		slices.Reverse(rules)
	case 1:
		return slices.Insert(rules, i, m.Rule())
	case 2:
		if r.In != nil && len(r.In.TCP) > 1 {
			second := *r
			r.In, second.In = &schema.Match{TCP: r.In.TCP[:1]}, &schema.Match{TCP: r.In.TCP[1:]}
			return append(rules, second)
		}
	default:
		if r.Connections > 0 {
			r.Connections = m.IntN(4)
		}
	}
	return rules
}

func text(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(data)
}

// wider names something that the new profile has and the old has not, or less of;
// empty where there is nothing.
func wider(old, new *schema.Profile) string {
	before, after := grants(old), grants(new)
	for what, amount := range after {
		if amount > before[what] {
			return what
		}
	}
	for _, field := range [][2]any{{old.Run, new.Run}, {old.Name, new.Name}, {old.Hostname, new.Hostname}, {old.Backend, new.Backend}} {
		if !reflect.DeepEqual(field[0], field[1]) {
			return fmt.Sprintf("%v to %v", field[0], field[1])
		}
	}
	for key, n := range interfaces(new) {
		if o, ok := interfaces(old)[key]; ok {
			if what := moreAtOnce(o.Allow, n.Allow); what != "" {
				return what + " on " + key
			}
		}
	}
	return ""
}

// interfaces are a profile's, by key.
func interfaces(p *schema.Profile) map[string]schema.Network {
	if p.Network != nil {
		return map[string]schema.Network{"": *p.Network}
	}
	return p.Networks
}

var (
	hostTree = []string{"/usr", "/usr/bin", "/usr/share", "/usr/lib", "/etc/group", "/etc/passwd", "/etc/ld.so.cache", "/srv/web", "/srv/web/x", "/srv/data.img"}
	inside   = append([]string{"/srv/a", "/srv/a-b", "/srv/b", "/srv/b/x", "/srv/c", "/srv/c/x", "/run", "/data"}, hostTree...)
)

// grants is all that a profile lets its sandbox have, each with how much of it.
func grants(p *schema.Profile) map[string]float64 {
	have := map[string]float64{}
	for key, n := range interfaces(p) {
		for _, remote := range append([]string{"2001:db8::7"}, randomprofile.Remotes...) {
			for _, in := range []bool{true, false} {
				for _, s := range services() {
					if passes(n, in, s, netip.MustParseAddr(remote)) {
						have[fmt.Sprint("packets ", key, in, s, remote)] = 1
					}
				}
			}
		}
		attached(have, "interface "+key, n)
	}
	for _, writable := range []bool{false, true} {
		for path := range walkInside(p, inside, writable) {
			have[fmt.Sprint("path ", path, writable)] = 1
		}
	}
	for _, c := range p.Capabilities {
		have["capability "+c] = 1
	}
	for _, word := range p.Syscalls.Words() {
		have["syscall "+word] = 1
	}
	for name, s := range p.Secrets {
		have["secret "+name+text(s)] = 1
	}
	for at, m := range p.Mounts {
		have["memory at "+at] = float64(m.Tmpfs)
		if m.Image != "" {
			have["image "+m.Format+fmt.Sprint(m.Writable)] = 1
		}
		if m.File != nil {
			have["file "+at+m.Mode+*m.File] = 1
		}
	}
	if p.Backend == schema.LXC && !p.Users.Namespace {
		have["root of the host"] = 1
	}
	if p.Backend == schema.KVM && p.Machine.Accel == "prefer" {
		have["emulation"] = 1
	}
	r := p.Resources
	have["memory"], have["cpus"], have["pids"] = float64(r.Memory), r.CPUs, float64(r.Pids)
	have["cpuWeight"], have["ioWeight"] = usual(r.CPUWeight), usual(r.IOWeight)
	return have
}

// attached adds where an interface is, and what it is told: of addresses and name
// servers also which comes before which.
func attached(have map[string]float64, at string, n schema.Network) {
	for _, single := range []any{n.Attach, n.Bridge, n.Create, n.DHCP} {
		if v := reflect.ValueOf(single); !v.IsZero() {
			have[fmt.Sprintf("%s %T %s", at, single, text(single))] = 1
		}
	}
	for _, list := range []any{n.Address, n.DNS, n.Gateway, n.Routes, n.Publish} {
		for i := range reflect.ValueOf(list).Len() {
			have[fmt.Sprintf("%s %T %s", at, list, text(reflect.ValueOf(list).Index(i).Interface()))] = 1
		}
	}
	for kind, list := range map[string]schema.List{"address": n.Address, "name server": n.DNS} {
		for i, first := range list {
			for _, second := range list[i+1:] {
				have[fmt.Sprint(at, kind, first, " before ", second)] = 1
			}
		}
	}
}

func usual(weight int) float64 {
	if weight == 0 {
		return 100
	}
	return float64(weight)
}

// service is what a conversation is about.
type service struct {
	proto string
	port  int
}

func services() (list []service) {
	for _, port := range randomprofile.Ports {
		list = append(list, service{"tcp", port}, service{"udp", port})
	}
	return append(list, service{"icmp", 8}, service{"icmp", 3}, service{"other", 0})
}

// passes says whether a rule lets a conversation be opened.
func passes(n schema.Network, in bool, s service, remote netip.Addr) bool {
	if remote.Is6() && !slices.ContainsFunc(n.Address, func(a string) bool { return strings.HasPrefix(a, "fd") }) {
		return false
	}
	return slices.ContainsFunc(n.Allow, func(r schema.Rule) bool {
		match, remotes := r.Out, r.To
		if r.In != nil {
			match, remotes = r.In, r.From
		}
		return (r.In != nil) == in && about(remotes, remote) && (match.Any || rangeOf(match, s) >= 0 && (s.proto != "icmp" || remote.Is4()))
	})
}

// rangeOf is which of a match's ports or types the service is in.
func rangeOf(m *schema.Match, s service) int {
	types := map[string]int{"echo-request": 8, "destination-unreachable": 3}
	switch s.proto {
	case "icmp":
		return slices.IndexFunc(m.ICMP, func(name string) bool { return types[name] == s.port })
	case "tcp", "udp":
		list := m.TCP
		if s.proto == "udp" {
			list = m.UDP
		}
		return slices.IndexFunc(list, func(p schema.Ports) bool { return int(p.From) <= s.port && s.port <= int(p.To) })
	}
	return -1
}

func about(remotes []string, a netip.Addr) bool {
	return len(remotes) == 0 || slices.ContainsFunc(remotes, func(word string) bool {
		if low, high, ok := strings.Cut(word, "-"); ok {
			return a.Is4() && !a.Less(netip.MustParseAddr(low)) && !netip.MustParseAddr(high).Less(a)
		}
		if p, err := netip.ParsePrefix(word); err == nil {
			return p.Contains(a)
		}
		return word == a.String()
	})
}

// moreAtOnce names a number of connections that the new rules admit from one
// address and the old do not, at ports that both open.
func moreAtOnce(old, new []schema.Rule) string {
	const most = 7 // more than two bounds of the world's together
	for _, remote := range randomprofile.Remotes {
		a := netip.MustParseAddr(remote)
		var load [3]int
		for load[0] = range most {
			for load[1] = range most {
				for load[2] = range most {
					tried := load
					for i := range tried {
						if !connects(old, a, one(i)) {
							tried[i] = 0
						}
					}
					if connects(new, a, tried) && !connects(old, a, tried) {
						return fmt.Sprintf("%v connections to %v from %s", tried, randomprofile.Ports, remote)
					}
				}
			}
		}
	}
	return ""
}

func one(port int) (load [3]int) {
	load[port] = 1
	return load
}

// connects opens connections one after the other: each belongs to the first range
// of the first rule that it matches, and counts there.
func connects(rules []schema.Rule, remote netip.Addr, load [3]int) bool {
	counts := map[[2]int]int{}
	for i, n := range load {
		s := service{"tcp", randomprofile.Ports[i]}
		for range n {
			rule := slices.IndexFunc(rules, func(r schema.Rule) bool {
				return r.In != nil && about(r.From, remote) && (r.In.Any || rangeOf(r.In, s) >= 0)
			})
			if rule < 0 {
				return false
			}
			at := [2]int{rule, rangeOf(rules[rule].In, s)}
			if counts[at]++; rules[rule].Connections > 0 && counts[at] > rules[rule].Connections {
				return false
			}
		}
	}
	return true
}
