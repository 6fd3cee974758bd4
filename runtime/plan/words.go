package plan

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/compiler/firewall/space"
	"github.com/sbx-dev/sbx/internal/pattern"
)

// A rule of a profile becomes several rules of a filter. Where those come or go
// together, they are told in the profile's words and with its line, as sbx review
// does. The words are read off the rules and not off their comments, which anybody
// may write; what does not belong to such a rule is told as libvirt writes it.

// ofProfile is a part of the comment of a rule that rules of a profile became: the
// path of one of them. Behind each stands where it was written.
var ofProfile = pattern.Of(`networks?[^ ]*\.allow\[\d+\] ?`)

// written says whether a comment is that of rules of a profile, and where those were
// written.
func written(comment string) (places string, ok bool) {
	at := ofProfile().FindStringIndex(comment)
	if at == nil || at[0] != 0 {
		return "", false
	}
	list := strings.Split(ofProfile().ReplaceAllString(comment, ""), ", ")
	list = slices.Compact(slices.DeleteFunc(list, func(place string) bool { return place == "" }))
	return strings.Join(list, ", "), true
}

// opening is a rule of the layer that knows connections: who opens what.
type opening struct {
	in      bool
	any     bool
	service firewall.Service
	remote  space.Range
	most    int // connections at once; 0: this is not about their number

	where [4]string // addr, mask, start and end, as libvirt writes them
	proto string    // as the other layer names it
	rules string    // those of the profile: the comment
}

// protocols are the elements of the layer that knows connections.
var protocols = map[string]firewall.Proto{"tcp": firewall.TCP, "udp": firewall.UDP, "sctp": firewall.SCTP,
	"icmp": firewall.ICMP, "icmpv6": firewall.ICMP, "all": firewall.Other}

// openingOf reads a rule; ok is false where it is of another kind.
func openingOf(entry *element) (o opening, ok bool) {
	if entry.name != "rule" || len(entry.children) != 1 || entry.attributes["statematch"] != "" {
		return o, false
	}
	match, direction := entry.children[0], entry.attributes["direction"]
	name, v6 := strings.CutSuffix(match.name, "-ipv6")
	v6 = v6 || name == "icmpv6"
	kind, known := protocols[name]
	most, bounded := match.attributes["connlimit-above"]
	action := "accept"
	if bounded {
		action = "drop"
	}
	if !known || entry.attributes["action"] != action || direction != "in" && direction != "out" || match.attributes["state"] != "" {
		return o, false
	}
	o = opening{in: direction == "in", any: name == "all", proto: name, service: firewall.Service{Proto: kind, High: 0xffff}}
	remote := "dst"
	if o.in {
		remote = "src"
	}
	o.where = [4]string{match.attributes[remote+"ipaddr"], match.attributes[remote+"ipmask"], match.attributes["dstportstart"], match.attributes["dstportend"]}
	var err1, err2, err3 error
	o.remote, err1 = rangeOf(o.where[0], o.where[1], v6)
	if name == "icmp" || name == "icmpv6" {
		o.service, err2 = typeOf(match.attributes["type"], match.attributes["code"])
	} else {
		o.service.Low, o.service.High, err2 = portsOf(o.where[2], o.where[3])
	}
	if bounded {
		o.most, err3 = strconv.Atoi(most)
	}
	known = knows(match, remote+"ipaddr", remote+"ipmask", "dstportstart", "dstportend", "type", "code", "connlimit-above", "comment")
	return o, known && err1 == nil && err2 == nil && err3 == nil
}

// knows says whether an element has no other attributes: they would narrow it.
func knows(e *element, names ...string) bool {
	for name := range e.attributes {
		if !slices.Contains(names, name) {
			return false
		}
	}
	return len(e.children) == 0
}

func rangeOf(addr, mask string, v6 bool) (r space.Range, err error) {
	switch {
	case addr == "" && v6:
		addr, mask = "::", "0"
	case addr == "":
		addr, mask = "0.0.0.0", "0"
	}
	if mask == "" {
		a, err := netip.ParseAddr(addr)
		return space.Range{From: a, To: a}, err
	}
	return space.ParseRange(addr + "/" + mask)
}

func portsOf(start, end string) (low, high uint16, err error) {
	if start == "" {
		return 0, 0xffff, nil
	}
	if end == "" {
		end = start
	}
	from, err1 := strconv.ParseUint(start, 10, 16)
	to, err2 := strconv.ParseUint(end, 10, 16)
	if err1 != nil || err2 != nil {
		return 0, 0, fmt.Errorf("%s to %s are no ports", start, end)
	}
	return uint16(from), uint16(to), nil
}

func typeOf(kind, code string) (s firewall.Service, err error) {
	k, err := strconv.ParseUint(kind, 10, 8)
	if err != nil {
		return s, err
	}
	s = firewall.Service{Proto: firewall.ICMP, Low: uint16(k) << 8, High: uint16(k)<<8 | 0xff}
	if code != "" {
		c, err := strconv.ParseUint(code, 10, 8)
		s.Low, s.High = s.Low|uint16(c), s.Low|uint16(c)
		return s, err
	}
	return s, nil
}

// covers says whether an entry does no more than its part for the opening: the
// packets of the conversation in the layer without state, and the answers.
func (o *opening) covers(entry *element) bool {
	direction := entry.attributes["direction"]
	if entry.attributes["action"] != "accept" || len(entry.children) != 1 || direction != "in" && direction != "out" {
		return false
	}
	match, in := entry.children[0], direction == "in"
	remote, own, port := "dst", "src", "dst"
	if in {
		remote, own = own, remote
	}
	if in != o.in {
		port = "src"
	}
	at := [4]string{match.attributes[remote+"ipaddr"], match.attributes[remote+"ipmask"], match.attributes[port+"portstart"], match.attributes[port+"portend"]}
	proto := match.attributes["protocol"]
	switch match.name {
	case "ip", "ipv6":
	case "icmp", "icmpv6": // an answer
		proto = match.name
	default:
		return false
	}
	return at == o.where && (proto == o.proto || o.any && proto == "") &&
		knows(match, "protocol", remote+"ipaddr", remote+"ipmask", own+"ipaddr", port+"portstart", port+"portend", "type", "state", "comment")
}

// openingsOf reads a filter's rules of one comment, all of which have come or gone:
// what the profile's rules open, and the entries that are more.
func openingsOf(comment string, entries []*element) (openings []opening, rest []*element) {
	if _, ok := written(comment); !ok {
		return nil, entries
	}
	for _, e := range entries {
		if o, ok := openingOf(e); ok {
			o.rules = comment
			openings = append(openings, o)
		} else {
			rest = append(rest, e)
		}
	}
	rest = slices.DeleteFunc(rest, func(e *element) bool {
		return slices.ContainsFunc(openings, func(o opening) bool { return o.covers(e) })
	})
	return openings, rest
}

// without leaves out of an opening what others open, too. A profile's rules that touch
// become one of the filter, so that a port more is one rule gone and a wider one come.
func (o opening) without(others []opening) []opening {
	left := []opening{o}
	for _, other := range others {
		var next []opening
		for _, one := range left {
			next = append(next, one.less(other)...)
		}
		left = next
	}
	return left
}

// less is the opening in the pieces around another one.
func (o opening) less(other opening) (pieces []opening) {
	if !o.comparable(&other) || o.remote.To.Less(other.remote.From) || other.remote.To.Less(o.remote.From) ||
		o.service.High < other.service.Low || other.service.High < o.service.Low {
		return []opening{o}
	}
	add := func(change func(*opening)) {
		piece := o
		change(&piece)
		pieces = append(pieces, piece)
	}
	if o.remote.From.Less(other.remote.From) {
		add(func(p *opening) { p.remote.To = other.remote.From.Prev() })
		o.remote.From = other.remote.From
	}
	if other.remote.To.Less(o.remote.To) {
		add(func(p *opening) { p.remote.From = other.remote.To.Next() })
		o.remote.To = other.remote.To
	}
	if o.service.Low < other.service.Low {
		add(func(p *opening) { p.service.High = other.service.Low - 1 })
	}
	if other.service.High < o.service.High {
		add(func(p *opening) { p.service.Low = other.service.High + 1 })
	}
	return pieces
}

// comparable says whether one opening is told less another. One that is bounded is not,
// nor one of any protocol; nor the same rules of the profile where they name others
// than before, which reads better as it is written.
func (o *opening) comparable(other *opening) bool {
	return o.in == other.in && !o.any && !other.any && o.most == 0 && other.most == 0 && o.service.Proto == other.service.Proto &&
		o.remote.From.Is4() == other.remote.From.Is4() && (o.rules != other.rules || o.remote == other.remote)
}

// told writes openings of one comment in the profile's words, with their lines.
func told(comment string, openings []opening) []string {
	places, _ := written(comment)
	lines := words(openings)
	if places != "" {
		for i := range lines {
			lines[i] += " (" + places + ")"
		}
	}
	return lines
}

// words joins openings that agree in their services, and then those that agree in
// whom they are about.
func words(openings []opening) (lines []string) {
	var joined []firewall.Rule
	merge := func(r firewall.Rule, same func(a, b *firewall.Rule) bool, into func(a *firewall.Rule)) {
		for i := range joined {
			if a := &joined[i]; a.In == r.In && a.Any == r.Any && a.Connections == r.Connections && same(a, &r) {
				into(a)
				return
			}
		}
		joined = append(joined, r)
	}
	for _, o := range openings {
		r := firewall.Rule{In: o.in, Any: o.any, Connections: o.most, Services: []firewall.Service{o.service}, Remotes: []space.Range{o.remote}}
		merge(r, func(a, b *firewall.Rule) bool { return a.Services[0] == b.Services[0] },
			func(a *firewall.Rule) { a.Remotes = space.MergeRanges(append(a.Remotes, o.remote)) })
	}
	parts := joined
	joined = nil
	for _, r := range parts {
		merge(r, func(a, b *firewall.Rule) bool {
			return a.Services[0].Proto == b.Services[0].Proto && slices.Equal(a.Remotes, b.Remotes)
		}, func(a *firewall.Rule) { a.Services = append(a.Services, r.Services...) })
	}
	for _, r := range joined {
		most := r.Connections
		r.Connections = 0
		line := r.String()
		if most > 0 {
			line += fmt.Sprintf(": at most %d connections at once from one address", most)
		}
		lines = append(lines, line)
	}
	return lines
}
