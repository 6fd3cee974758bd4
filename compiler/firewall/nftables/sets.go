package nftables

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/compiler/firewall/space"
)

// flat is a set of messages of one protocol: remote addresses × ports, or codes of one
// type of ICMP.
type flat struct {
	remote    space.Range
	low, high uint16
	rule      int // of the policy; firewall.Infrastructure where none asks for it
}

// contents are the sets of an interface, filled by its policy.
type contents struct {
	policy *firewall.Policy
	sets   []Set
	err    error
}

// sets are all that the chains look up in.
func sets(p *firewall.Policy) ([]Set, error) {
	c := &contents{policy: p}
	for _, f := range families(p) {
		if f.v6 {
			c.discovery(f)
		}
		for _, way := range []string{wayOut, wayIn} {
			c.conversations(f, way)
			c.messages(f, way)
		}
	}
	return c.sets, c.err
}

// discovery is what IPv6 needs on a link.
func (c *contents) discovery(f family) {
	out := Set{Name: discoveryOut, Types: []Type{f.address, f.icmpType}}
	for _, own := range c.policy.DiscoverySources() {
		for _, t := range firewall.DiscoveryOut {
			out.Elements = append(out.Elements, Element{Key: []Interval{addresses(space.Range{From: own, To: own}), octets(uint8(t), uint8(t))}})
		}
	}
	in := Set{Name: discoveryIn, Types: []Type{f.icmpType, f.icmpCode}}
	for _, t := range firewall.DiscoveryIn {
		in.Elements = append(in.Elements, Element{Key: []Interval{octets(uint8(t), uint8(t)), octets(0, 0xff)}})
	}
	c.add(out)
	c.add(in)
}

// conversations are the sets of what one way may be opened, ICMP apart. What tells most
// elements apart stands first: the kernel goes on from a field, for a packet as for a new
// element, with all elements that have matched so far, one by one.
func (c *contents) conversations(f family, way string) {
	known := Set{Name: byPort + way + f.suffix, Types: []Type{f.address, PortType, ProtocolType}}
	for _, t := range []struct {
		proto  firewall.Proto
		number uint8
	}{{firewall.TCP, space.ProtoTCP}, {firewall.UDP, space.ProtoUDP}, {firewall.SCTP, space.ProtoSCTP}} {
		for _, e := range c.disjoint(f, c.asked(f, way, func(r firewall.Rule, s firewall.Service) bool { return !r.Any && s.Proto == t.proto })) {
			known.Elements = append(known.Elements, Element{[]Interval{addresses(e.remote), words(e.low, e.high), octets(t.number, t.number)}, c.lines(e.rules)})
		}
	}
	whole := Set{Name: byAny + way + f.suffix, Types: []Type{f.address, ProtocolType}}
	for _, e := range c.disjoint(f, c.asked(f, way, func(r firewall.Rule, s firewall.Service) bool { return r.Any && s.Proto == firewall.Other })) {
		whole.Elements = append(whole.Elements, Element{[]Interval{addresses(e.remote), octets(0, 0xff)}, c.lines(e.rules)})
	}
	c.add(known)
	c.add(whole)
}

// messages are the sets of the messages of ICMP that one way may be sent.
func (c *contents) messages(f family, way string) {
	back := map[string]string{wayIn: wayOut, wayOut: wayIn}[way]
	table, about := firewall.ICMPv4, firewall.ErrorsInV4
	if f.v6 {
		table, about = firewall.ICMPv6, firewall.ErrorsInV6
	}
	ask, answer, fault := c.messageSet(asks, way, f), c.messageSet(replies, way, f), c.messageSet(faults, way, f)
	for t := range 256 {
		kind := uint8(t)
		named := func(r firewall.Rule, s firewall.Service) bool {
			return !r.Any && s.Proto == firewall.ICMP && uint8(s.Low>>8) == kind
		}
		there := c.asked(f, way, named)
		if reply, request := firewall.ICMPReply(table, kind); request {
			c.fill(f, &ask, kind, there)
			returned := c.asked(f, back, named)
			for i := range returned {
				returned[i].low, returned[i].high = 0, 0xff
			}
			c.fill(f, &answer, reply, returned)
			continue
		}
		if way == wayIn && c.policy.Speaks(f.v6) && slices.Contains(about, t) {
			there = append(there, flat{everyone(f), 0, 0xff, firewall.Infrastructure})
		}
		c.fill(f, &fault, kind, there)
	}
	c.add(ask)
	c.add(answer)
	c.add(fault)
}

func everyone(f family) space.Range {
	if f.v6 {
		return space.EveryV6
	}
	return space.EveryV4
}

func (c *contents) messageSet(name, way string, f family) Set {
	return Set{Name: name + way + f.suffix, Types: []Type{f.address, f.icmpType, f.icmpCode}}
}

// fill adds what is asked for of one type of ICMP.
func (c *contents) fill(f family, to *Set, kind uint8, asked []flat) {
	for _, e := range c.disjoint(f, asked) {
		to.Elements = append(to.Elements, Element{[]Interval{addresses(e.remote), octets(kind, kind), octets(uint8(e.low), uint8(e.high))}, c.lines(e.rules)})
	}
}

// asked is what the rules of a family and way ask for, of the services that are wanted;
// of ICMP the codes alone.
func (c *contents) asked(f family, way string, wanted func(firewall.Rule, firewall.Service) bool) (out []flat) {
	for n, r := range c.policy.Rules() {
		if r.In != (way == wayIn) {
			continue
		}
		for _, s := range r.Services {
			if !wanted(r, s) {
				continue
			}
			low, high := s.Low, s.High
			if s.Proto == firewall.ICMP {
				low, high = low&0xff, high&0xff
			}
			for _, remote := range r.Remotes {
				if remote.From.Is6() == f.v6 {
					out = append(out, flat{remote, low, high, n})
				}
			}
		}
	}
	return out
}

// MaxElements bounds the elements of one table: those of 5,000 rules that cannot be
// joined, and some. What the kernel takes to load them grows with the square of their
// number, and nothing can interrupt it meanwhile.
const MaxElements = 6000

// ErrTooMany says that a policy would become a table of more elements than that.
var ErrTooMany = errors.New("the rules become too many elements of sets")

func (c *contents) add(s Set) {
	slices.SortFunc(s.Elements, func(a, b Element) int {
		for i := range a.Key {
			if by := cmp.Or(bytes.Compare(a.Key[i].Low, b.Key[i].Low), bytes.Compare(a.Key[i].High, b.Key[i].High)); by != 0 {
				return by
			}
		}
		return 0
	})
	c.sets = append(c.sets, s)
	n := 0
	for _, s := range c.sets {
		n += len(s.Elements)
	}
	if n > MaxElements && c.err == nil {
		c.err = fmt.Errorf("%w: %d, of which sbx takes %d", ErrTooMany, n, MaxElements)
	}
}

// lines says who asks for an element.
func (c *contents) lines(rules []int) (out []string) {
	for _, n := range rules {
		if n != firewall.Infrastructure {
			out = append(out, c.policy.Rules()[n].Where())
		}
	}
	return out
}

func octets(low, high uint8) Interval { return Interval{[]byte{low}, []byte{high}} }

func words(low, high uint16) Interval {
	return Interval{binary.BigEndian.AppendUint16(nil, low), binary.BigEndian.AppendUint16(nil, high)}
}

func addresses(r space.Range) Interval { return Interval{r.From.AsSlice(), r.To.AsSlice()} }

// address reads one end of an interval of addresses.
func address(b []byte) netip.Addr {
	a, _ := netip.AddrFromSlice(b)
	return a
}
