package firewall

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/sbx-dev/sbx/compiler/firewall/space"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Proto is what a rule or a packet carries above IP.
type Proto uint8

// The protocols that a policy tells apart. ICMP is the family's own: ICMPv6 in
// an IPv6 packet. Other is everything else; a rule with `any: true` has it too.
const (
	TCP Proto = iota
	UDP
	SCTP
	ICMP
	Other
	numProtos
)

var protoNames = [numProtos]string{"tcp", "udp", "sctp", "icmp", "other"}

// String is the protocol's name as a profile writes it.
func (p Proto) String() string { return protoNames[p] }

// Service is the far end of a conversation: destination ports, or, for ICMP,
// type<<8|code. The bounds are inclusive.
type Service struct {
	Proto     Proto
	Low, High uint16
}

// Rule is one entry of an allow-list with its names resolved. It admits what
// opens a conversation, the rest of that conversation, and nothing else.
type Rule struct {
	In          bool          // the remote opens; else the sandbox does
	Remotes     []space.Range // of both families, sorted and merged
	Services    []Service     // what is spoken to: the sandbox's when In, else the remote's
	V4, V6      bool          // the families that the rule speaks of
	Any         bool          // every protocol
	Connections int           // at most so many at once from one remote IPv4 address of the same bridge; 0: any number
	Path        string        // in the profile
	Pos         diag.Pos
}

// Where is the rule's path in the profile and where that was written, in characters
// that a comment may hold.
func (r Rule) Where() string {
	s := r.Path
	if r.Pos.File != "" {
		s += " " + r.Pos.String()
	}
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return '_'
		}
		return c
	}, s)
}

// Policy is an allow-list bound to the interface that it guards. Every Policy that
// Resolve returns is valid.
type Policy struct {
	iface Interface
	rules []Rule
	local []netip.Addr // the interface's own addresses; the stand-in for a leased one
	path  string       // of the allow-list in the profile
	pos   diag.Pos
}

// Resolve resolves the rules for an interface. The error is a diag.List that names every
// rule that is at fault.
func Resolve(i Interface, r Rules) (*Policy, error) {
	p := &Policy{iface: i, local: i.Addresses, path: r.Path, pos: r.Pos(r.Path)}
	if i.DHCP {
		p.local = append([]netip.Addr{space.Leased}, i.Addresses...)
	}
	var faults diag.List
	for n, allow := range r.Allow {
		path := fmt.Sprintf("%s[%d]", r.Path, n)
		rule, err := p.resolve(allow, r.Peers)
		if err != nil {
			faults = append(faults, &diag.Diagnostic{Pos: r.Pos(path), Severity: diag.Error, Code: diag.FirewallRule, Path: path, Message: err.Error()})
			continue
		}
		rule.Path, rule.Pos = path, r.Pos(path)
		p.rules = append(p.rules, rule)
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return p, nil
}

// Interface is the interface that the policy guards.
func (p *Policy) Interface() Interface { return p.iface }

// Place is where the allow-list was written, and its path in the profile.
func (p *Policy) Place() (pos diag.Pos, path string) { return p.pos, p.path }

// Rules are the policy's, in the order in which they were written.
func (p *Policy) Rules() []Rule { return p.rules }

// Has says whether the interface speaks a family.
func (p *Policy) Has(v6 bool) bool {
	for _, a := range p.local {
		if a.Is6() == v6 {
			return true
		}
	}
	return false
}

func (p *Policy) resolve(allow schema.Rule, peers map[string][]netip.Addr) (Rule, error) {
	rule := Rule{In: allow.In != nil, Connections: allow.Connections}
	match, words, other := allow.In, allow.From, allow.To
	if !rule.In {
		match, words, other = allow.Out, allow.To, allow.From
	}
	switch {
	case match == nil || allow.In != nil && allow.Out != nil:
		return rule, fmt.Errorf("a rule has exactly one of in and out")
	case len(other) > 0:
		return rule, fmt.Errorf("from goes with in, and to with out")
	}
	v4, v6, err := rule.services(*match)
	if err != nil {
		return rule, err
	}
	rule.V4, rule.V6 = v4 && p.Has(false), v6 && p.Has(true)
	if !rule.V4 && !rule.V6 {
		return rule, fmt.Errorf("the interface has no address of the family that the rule speaks of, so nothing could match it")
	}
	if rule.Connections > 0 && (!rule.In || len(match.TCP) == 0) {
		return rule, fmt.Errorf("connections can only bound tcp that comes in")
	}
	if err := rule.remotes(words, peers); err != nil {
		return rule, err
	}
	if rule.Connections > 0 && rule.V6 {
		return rule, fmt.Errorf("libvirt bounds connections of IPv4 only: name IPv4 addresses in from, and write a rule of its own for IPv6")
	}
	return rule, nil
}

// services fills in what the rule's match speaks of, and says in which families.
func (r *Rule) services(m schema.Match) (v4, v6 bool, err error) {
	add := func(proto Proto, ports []schema.Ports) {
		for _, p := range ports {
			r.Services = append(r.Services, Service{proto, p.From, p.To})
		}
	}
	add(TCP, m.TCP)
	add(UDP, m.UDP)
	add(SCTP, m.SCTP)
	if r.Any = m.Any; m.Any {
		for proto := range numProtos {
			r.Services = append(r.Services, Service{proto, 0, 0xffff})
		}
	}
	v4, v6 = len(r.Services) > 0, len(r.Services) > 0
	for _, word := range m.ICMP {
		s, err := parseICMP(ICMPv4, word)
		if err != nil {
			return false, false, err
		}
		r.Services, v4 = append(r.Services, s), true
	}
	for _, word := range m.ICMPv6 {
		s, err := parseICMP(ICMPv6, word)
		if err != nil {
			return false, false, err
		}
		r.Services, v6 = append(r.Services, s), true
	}
	if kinds := count(len(m.TCP) > 0, len(m.UDP) > 0, len(m.SCTP) > 0, len(m.ICMP) > 0, len(m.ICMPv6) > 0, m.Any); kinds != 1 {
		return false, false, fmt.Errorf("a rule speaks of exactly one of tcp, udp, sctp, icmp, icmpv6 and any")
	}
	return v4, v6, nil
}

func count(set ...bool) (n int) {
	for _, s := range set {
		if s {
			n++
		}
	}
	return n
}

// remotes fills in whom the rule speaks of.
func (r *Rule) remotes(words []string, peers map[string][]netip.Addr) error {
	var all []space.Range
	if len(words) == 0 {
		all = []space.Range{space.EveryV4, space.EveryV6}
	}
	for _, word := range words {
		ranges, err := resolveRemote(word, peers)
		if err != nil {
			return err
		}
		all = append(all, ranges...)
	}
	for _, one := range all {
		if one.From.Is4() && r.V4 || one.From.Is6() && r.V6 {
			r.Remotes = append(r.Remotes, one)
		}
	}
	r.Remotes = space.MergeRanges(r.Remotes)
	if len(r.Remotes) == 0 {
		return fmt.Errorf("none of the addresses is of a family that the rule and the interface both speak, so nothing could match it")
	}
	r.V4, r.V6 = r.Remotes[0].From.Is4(), r.Remotes[len(r.Remotes)-1].From.Is6()
	return nil
}

// resolveRemote reads one word of from or to.
func resolveRemote(word string, peers map[string][]netip.Addr) ([]space.Range, error) {
	if addresses, ok := peers[word]; ok {
		var out []space.Range
		for _, a := range addresses {
			out = append(out, space.Range{From: a, To: a})
		}
		return out, nil
	}
	if strings.ContainsFunc(word, func(r rune) bool { return r == '.' || r == ':' || r == '/' }) {
		one, err := space.ParseRange(word)
		return []space.Range{one}, err
	}
	return nil, fmt.Errorf("%q is neither an address nor another sandbox whose addresses are known: write an address, a prefix, a range or the name of a sandbox that has a fixed address", word)
}

// Closed is the policy of the same interface that lets nothing be opened.
func (p *Policy) Closed() *Policy {
	return &Policy{iface: p.iface, local: p.local}
}

// Locals are the interface's own addresses of one family.
func (p *Policy) Locals(v6 bool) (out []netip.Addr) {
	for _, a := range p.local {
		if a.Is6() == v6 {
			out = append(out, a)
		}
	}
	return out
}

// Speaks says whether any rule is of the family: without one, not even errors
// may come in.
func (p *Policy) Speaks(v6 bool) bool {
	for _, r := range p.rules {
		if v6 && r.V6 || !v6 && r.V4 {
			return true
		}
	}
	return false
}
