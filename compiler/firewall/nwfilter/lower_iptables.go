package nwfilter

import (
	"fmt"
	"net/netip"
	"strconv"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/compiler/firewall/space"
)

// segment is what one rule of iptables matches. The interface's own address is
// ebtables' to check; here it would only multiply the rules.
type segment struct {
	v6         bool
	remote     netip.Prefix
	state      string // conntrack states; "": new and established, with the replies
	stateless  bool   // pass in every state, untracked included
	connLimit  int
	icmp, code int // −1: any
}

// infrastructureIptables is what ebtables' counterpart lets pass. The kernel tracks no
// neighbour discovery, so those rules go without state; an error about a known
// connection is RELATED, which no stateful accept of libvirt's includes.
func (l *lowering) infrastructureIptables() {
	p := l.policy
	if p.Interface().DHCP && p.Speaks(false) {
		l.comment = "dhcp"
		port := libvirtxml.NWFilterRuleCommonPort{SrcPortStart: text("68"), DstPortStart: text("67")}
		l.addIptables("accept", "out", libvirtxml.NWFilterRule{StateMatch: "false",
			UDP: &libvirtxml.NWFilterRuleUDP{NWFilterRuleCommonPort: port, Comment: l.comment}})
	}
	if p.Speaks(true) {
		l.comment = "neighbour discovery"
		for _, t := range firewall.DiscoveryOut {
			l.icmpIptables("out", segment{v6: true, stateless: true, icmp: t, code: -1})
		}
		for _, t := range firewall.DiscoveryIn {
			l.icmpIptables("in", segment{v6: true, stateless: true, icmp: t, code: -1})
		}
	}
	l.comment = "errors about known connections"
	if p.Speaks(false) {
		for _, t := range firewall.ErrorsInV4 {
			l.icmpIptables("in", segment{state: "RELATED", icmp: t, code: -1})
		}
	}
	if p.Speaks(true) {
		for _, t := range firewall.ErrorsInV6 {
			l.icmpIptables("in", segment{v6: true, icmp: t, code: -1}.answering("RELATED"))
		}
	}
}

// ruleIptables emits a rule's stateful accepts; libvirt opens the way back with each.
func (l *lowering) ruleIptables(r firewall.Rule) {
	for _, v6 := range []bool{false, true} {
		for _, remote := range prefixes(r.Remotes, v6) {
			s := segment{v6: v6, remote: remote, icmp: -1, code: -1}
			if r.Any {
				l.anyIptables(r.In, s)
				continue
			}
			for _, service := range r.Services {
				l.serviceIptables(r, s, service)
			}
		}
	}
}

func (l *lowering) anyIptables(in bool, s segment) {
	common := s.common(in)
	if s.v6 {
		l.addIptables("accept", space.Way(in), libvirtxml.NWFilterRule{AllIPv6: &libvirtxml.NWFilterRuleAllIPv6{NWFilterRuleCommonIP: common, Comment: l.comment}})
		return
	}
	l.addIptables("accept", space.Way(in), libvirtxml.NWFilterRule{All: &libvirtxml.NWFilterRuleAll{NWFilterRuleCommonIP: common, Comment: l.comment}})
}

func (l *lowering) serviceIptables(r firewall.Rule, s segment, service firewall.Service) {
	if service.Proto == firewall.ICMP {
		l.serviceICMP(r.In, s, service)
		return
	}
	if r.Connections > 0 && service.Proto == firewall.TCP {
		limit := s
		limit.connLimit = r.Connections
		l.portsIptables("drop", r.In, limit, service)
	}
	l.portsIptables("accept", r.In, s, service)
}

// serviceICMP lets a request and its answers pass, or an error about a known
// connection. libvirt opens no way back for a rule with an ICMP type.
func (l *lowering) serviceICMP(in bool, s segment, service firewall.Service) {
	table := firewall.ICMPv4
	if s.v6 {
		table = firewall.ICMPv6
	}
	s.icmp = int(service.Low >> 8)
	if service.Low == service.High {
		s.code = int(service.Low & 0xff)
	}
	reply, request := firewall.ICMPReply(table, uint8(s.icmp))
	if !request {
		l.icmpIptables(space.Way(in), s.answering("RELATED"))
		return
	}
	l.icmpIptables(space.Way(in), s)
	s.icmp = int(reply)
	l.icmpIptables(space.Way(!in), s.answering("ESTABLISHED"))
}

// answering restricts an ICMP message to a conntrack state. libvirt's schema
// has no states in IPv6 rules, so there the message passes in every state.
func (s segment) answering(state string) segment {
	s.stateless = s.v6
	if !s.v6 {
		s.state = state
	}
	return s
}

// common is the part of a rule that does not depend on the protocol.
func (s segment) common(in bool) (c libvirtxml.NWFilterRuleCommonIP) {
	addr, mask := prefix(s.remote)
	if in {
		c.SrcIPAddr, c.SrcIPMask = addr, mask
	} else {
		c.DstIPAddr, c.DstIPMask = addr, mask
	}
	if s.state != "" {
		c.State = text(s.state)
	}
	if s.connLimit > 0 {
		c.ConnLimitAbove = text(strconv.Itoa(s.connLimit))
	}
	return c
}

func (l *lowering) portsIptables(action string, in bool, s segment, service firewall.Service) {
	common := s.common(in)
	var port libvirtxml.NWFilterRuleCommonPort
	port.DstPortStart, port.DstPortEnd = ports(service.Low, service.High)
	rule := libvirtxml.NWFilterRule{}
	switch {
	case service.Proto == firewall.TCP && s.v6:
		rule.TCPIPv6 = &libvirtxml.NWFilterRuleTCPIPv6{NWFilterRuleCommonIP: common, NWFilterRuleCommonPort: port, Comment: l.comment}
	case service.Proto == firewall.TCP:
		rule.TCP = &libvirtxml.NWFilterRuleTCP{NWFilterRuleCommonIP: common, NWFilterRuleCommonPort: port, Comment: l.comment}
	case service.Proto == firewall.UDP && s.v6:
		rule.UDPIPv6 = &libvirtxml.NWFilterRuleUDPIPv6{NWFilterRuleCommonIP: common, NWFilterRuleCommonPort: port, Comment: l.comment}
	case service.Proto == firewall.UDP:
		rule.UDP = &libvirtxml.NWFilterRuleUDP{NWFilterRuleCommonIP: common, NWFilterRuleCommonPort: port, Comment: l.comment}
	case service.Proto == firewall.SCTP && s.v6:
		rule.SCTPIPv6 = &libvirtxml.NWFilterRuleSCTPIPv6{NWFilterRuleCommonIP: common, NWFilterRuleCommonPort: port, Comment: l.comment}
	case service.Proto == firewall.SCTP:
		rule.SCTP = &libvirtxml.NWFilterRuleSCTP{NWFilterRuleCommonIP: common, NWFilterRuleCommonPort: port, Comment: l.comment}
	default:
		panic(fmt.Sprintf("firewall: %v has no ports", service.Proto)) // serviceIptables sends only these here
	}
	l.addIptables(action, space.Way(in), rule)
}

func (l *lowering) icmpIptables(direction string, s segment) {
	common := s.common(direction == "in")
	rule := libvirtxml.NWFilterRule{}
	if s.stateless {
		rule.StateMatch = "false"
	}
	var kind, code libvirtxml.NWFilterField
	kind = text(strconv.Itoa(s.icmp))
	if s.code >= 0 {
		code = text(strconv.Itoa(s.code))
	}
	if s.v6 {
		rule.ICMPv6 = &libvirtxml.NWFilterRuleICMPIPv6{NWFilterRuleCommonIP: common, Type: kind, Code: code, Comment: l.comment}
	} else {
		rule.ICMP = &libvirtxml.NWFilterRuleICMP{NWFilterRuleCommonIP: common, Type: kind, Code: code, Comment: l.comment}
	}
	l.addIptables("accept", direction, rule)
}
