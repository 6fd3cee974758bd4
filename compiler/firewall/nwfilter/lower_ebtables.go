package nwfilter

import (
	"net/netip"
	"strconv"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/compiler/firewall/space"
)

// frame is what one rule of ebtables matches in an IP packet: ends that are the
// zero value match anything.
type frame struct {
	v6              bool
	src, dst        netip.Prefix
	proto           string
	srcLow, srcHigh uint16
	dstLow, dstHigh uint16
	icmpv6          int // a type of ICMPv6; 0, which is reserved: every type
}

// anyPort leaves both ends' ports open.
func (f frame) anyPort() frame {
	f.srcLow, f.srcHigh, f.dstLow, f.dstHigh = 0, 0xffff, 0, 0xffff
	return f
}

// host is the prefix that holds a alone.
func host(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// acceptEbtables emits one accept of ebtables.
func (l *lowering) acceptEbtables(direction string, f frame) {
	srcAddr, srcMask := prefix(f.src)
	dstAddr, dstMask := prefix(f.dst)
	var port libvirtxml.NWFilterRuleCommonPort
	port.SrcPortStart, port.SrcPortEnd = ports(f.srcLow, f.srcHigh)
	port.DstPortStart, port.DstPortEnd = ports(f.dstLow, f.dstHigh)
	var proto libvirtxml.NWFilterField
	if f.proto != "" {
		proto = text(f.proto)
	}
	if !f.v6 {
		l.addEbtables("accept", direction, libvirtxml.NWFilterRule{IP: &libvirtxml.NWFilterRuleIP{
			SrcIPAddr: srcAddr, SrcIPMask: srcMask, DstIPAddr: dstAddr, DstIPMask: dstMask,
			Protocol: proto, NWFilterRuleCommonPort: port, Comment: l.comment}})
		return
	}
	rule := &libvirtxml.NWFilterRuleIPv6{
		SrcIPAddr: srcAddr, SrcIPMask: srcMask, DstIPAddr: dstAddr, DstIPMask: dstMask,
		Protocol: proto, NWFilterRuleCommonPort: port, Comment: l.comment}
	if f.icmpv6 != 0 {
		rule.Type = text(strconv.Itoa(f.icmpv6))
	}
	l.addEbtables("accept", direction, libvirtxml.NWFilterRule{IPv6: rule})
}

// infrastructureEbtables lets pass what addresses need to work at all: ARP, neighbour
// discovery, DHCP, and the errors that path MTU discovery lives on.
func (l *lowering) infrastructureEbtables() {
	p := l.policy
	if p.Has(false) {
		l.arp()
	}
	if p.Interface().DHCP {
		l.comment = "dhcp"
		dhcp := frame{proto: "udp", srcLow: 68, srcHigh: 68, dstLow: 67, dstHigh: 67}
		for _, src := range []netip.Addr{netip.IPv4Unspecified(), space.Leased} {
			dhcp.src = host(src)
			l.acceptEbtables("out", dhcp)
		}
		l.acceptEbtables("in", frame{proto: "udp", srcLow: 67, srcHigh: 67, dstLow: 68, dstHigh: 68})
	}
	if p.Speaks(false) {
		l.comment = "errors; ebtables cannot tell types of ICMP apart"
		for _, own := range p.Locals(false) {
			l.acceptEbtables("in", frame{dst: host(own), proto: "icmp"}.anyPort())
		}
	}
	if p.Has(true) {
		l.comment = "neighbour discovery"
		for _, own := range p.DiscoverySources() {
			for _, t := range firewall.DiscoveryOut {
				l.acceptEbtables("out", frame{v6: true, src: host(own), proto: "icmpv6", icmpv6: t}.anyPort())
			}
		}
		for _, t := range firewall.DiscoveryIn {
			l.acceptEbtables("in", frame{v6: true, proto: "icmpv6", icmpv6: t}.anyPort())
		}
	}
	if p.Speaks(true) {
		l.comment = "errors"
		for _, own := range p.Locals(true) {
			for _, t := range firewall.ErrorsInV6 {
				l.acceptEbtables("in", frame{v6: true, dst: host(own), proto: "icmpv6", icmpv6: t}.anyPort())
			}
		}
	}
}

// arp lets the interface answer and ask for its own addresses only; 0.0.0.0 is the
// sender of a probe for an address that is not held yet (RFC 5227).
func (l *lowering) arp() {
	l.comment = "arp for the interface's own addresses"
	for _, own := range append(l.policy.Locals(false), netip.IPv4Unspecified()) {
		l.addEbtables("accept", "out", libvirtxml.NWFilterRule{ARP: &libvirtxml.NWFilterRuleARP{
			ARPSrcMACAddr: text(l.policy.Interface().MAC.String()), ARPSrcIPAddr: address(own), Comment: l.comment}})
	}
	l.addEbtables("accept", "in", libvirtxml.NWFilterRule{ARP: &libvirtxml.NWFilterRuleARP{Comment: l.comment}})
}

// ruleEbtables emits a rule in both directions: what opens a conversation, and what
// answers it.
func (l *lowering) ruleEbtables(r firewall.Rule) {
	for _, v6 := range []bool{false, true} {
		for _, remote := range prefixes(r.Remotes, v6) {
			for _, own := range l.policy.Locals(v6) {
				opening := frame{v6: v6, src: remote, dst: host(own)}.anyPort()
				if !r.In {
					opening.src, opening.dst = opening.dst, opening.src
				}
				if r.Any {
					l.pairEbtables(r.In, opening, opening.reversed())
					continue
				}
				for _, s := range r.Services {
					l.serviceEbtables(r.In, opening, s)
				}
			}
		}
	}
}

func (l *lowering) serviceEbtables(in bool, opening frame, s firewall.Service) {
	if s.Proto != firewall.ICMP {
		opening.proto = s.Proto.String()
		opening.dstLow, opening.dstHigh = s.Low, s.High
		l.pairEbtables(in, opening, opening.reversed())
		return
	}
	kind := int(s.Low >> 8)
	if !opening.v6 {
		// Without types the way in is open already, for errors.
		opening.proto = "icmp"
		if in {
			opening = opening.reversed()
		}
		if _, request := firewall.ICMPReply(firewall.ICMPv4, uint8(kind)); request || !in {
			l.acceptEbtables("out", opening)
		}
		return
	}
	opening.proto, opening.icmpv6 = "icmpv6", kind
	l.acceptEbtables(space.Way(in), opening)
	if reply, ok := firewall.ICMPReply(firewall.ICMPv6, uint8(kind)); ok {
		answer := opening.reversed()
		answer.icmpv6 = int(reply)
		l.acceptEbtables(space.Way(!in), answer)
	}
}

func (l *lowering) pairEbtables(in bool, opening, answer frame) {
	l.acceptEbtables(space.Way(in), opening)
	l.acceptEbtables(space.Way(!in), answer)
}

// reversed is the frame that goes back.
func (f frame) reversed() frame {
	f.src, f.dst = f.dst, f.src
	f.srcLow, f.srcHigh, f.dstLow, f.dstHigh = f.dstLow, f.dstHigh, f.srcLow, f.srcHigh
	return f
}
