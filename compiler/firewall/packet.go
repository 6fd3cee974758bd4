package firewall

import (
	"fmt"
	"net"
	"net/netip"
)

// Source says where a packet comes from, or goes to, outside of the sandbox. It
// decides which layers of a filter the packet meets.
type Source uint8

// The sources.
const (
	Peer   Source = iota // another port of the same bridge
	Host                 // the host that the bridge belongs to
	Routed               // by way of the host's routing
)

// String names the source.
func (s Source) String() string { return [...]string{"peer", "host", "routed"}[s] }

// State is what the kernel's connection tracking says of a packet.
type State uint8

// The states. An established connection has two directions: that of whoever
// opened it, and that of the answers.
const (
	New State = iota
	Original
	Reply
	Related
	Invalid
	Untracked
	numStates
)

// String names the state.
func (s State) String() string {
	return [...]string{"new", "original", "reply", "related", "invalid", "untracked"}[s]
}

// EtherTypes with a space of their own.
const (
	etherIPv4 = 0x0800
	etherARP  = 0x0806
	etherRARP = 0x8035
	etherVLAN = 0x8100
	etherIPv6 = 0x86dd
)

// IP protocol numbers that rules speak of.
const (
	ipICMP   = 1
	ipTCP    = 6
	ipUDP    = 17
	ipICMPv6 = 58
	ipSCTP   = 132
)

// Packet is all that rules can ask of a packet.
type Packet struct {
	In        bool // it would reach the sandbox; else it leaves it
	Source    Source
	EtherType uint16 // 0x0800, 0x86dd, 0x0806, …
	SrcMAC    net.HardwareAddr
	DstMAC    net.HardwareAddr
	State     State
	Protocol  uint8      // of IP; the operation of ARP
	Src, Dst  netip.Addr // ARP's are the sender and target
	SrcPort   uint16
	DstPort   uint16
	Type      uint8 // of ICMP
	Code      uint8
	ARPSource net.HardwareAddr // the MAC addresses in an ARP message
	ARPTarget net.HardwareAddr
}

// kind tells the spaces apart.
type kind uint8

const (
	kindV4 kind = iota
	kindV6
	kindARP
	kindRARP
	kindOther
	numKinds
)

// isARP says whether frames of the kind are messages of ARP's form.
func (k kind) isARP() bool { return k == kindARP || k == kindRARP }

// slice is one space: a direction and a kind of frame.
type slice struct {
	in   bool
	kind kind
}

func kindOf(etherType uint16) kind {
	switch etherType {
	case etherIPv4:
		return kindV4
	case etherIPv6:
		return kindV6
	case etherARP:
		return kindARP
	case etherRARP:
		return kindRARP
	}
	return kindOther
}

// icmpOf is the family's own ICMP.
func icmpOf(k kind) uint8 {
	if k == kindV6 {
		return ipICMPv6
	}
	return ipICMP
}

// place is the packet's space and its point there.
func (p *Packet) place() (slice, point) {
	s := slice{p.In, kindOf(p.EtherType)}
	at := point{dSrcMAC: macValue(p.SrcMAC), dDstMAC: macValue(p.DstMAC)}
	if s.kind == kindOther {
		at[dProto] = number(uint64(p.EtherType))
		return s, at
	}
	at[dProto] = number(uint64(p.Protocol))
	at[dSrc], at[dDst] = addressValue(p.Src), addressValue(p.Dst)
	if s.kind.isARP() {
		at[dSrcPort], at[dDstPort] = macValue(p.ARPSource), macValue(p.ARPTarget)
		return s, at
	}
	at[dState] = number(uint64(p.State))
	at[dSrcPort], at[dDstPort] = number(uint64(p.SrcPort)), number(uint64(p.DstPort))
	if p.Protocol == icmpOf(s.kind) {
		at[dSrcPort], at[dDstPort] = value{}, number(uint64(p.Type)<<8|uint64(p.Code))
	}
	return s, at
}

// packetAt is the inverse of place.
func packetAt(s slice, at point, from Source) Packet {
	p := Packet{In: s.in, Source: from, SrcMAC: macOf(at[dSrcMAC]), DstMAC: macOf(at[dDstMAC])}
	switch s.kind {
	case kindOther:
		p.EtherType = uint16(at[dProto].lo)
		return p
	case kindARP, kindRARP:
		p.EtherType = etherARP
		if s.kind == kindRARP {
			p.EtherType = etherRARP
		}
		p.ARPSource, p.ARPTarget = macOf(at[dSrcPort]), macOf(at[dDstPort])
	case kindV4:
		p.EtherType = etherIPv4
	case kindV6:
		p.EtherType = etherIPv6
	}
	p.Protocol, p.State = uint8(at[dProto].lo), State(at[dState].lo)
	p.Src, p.Dst = at[dSrc].address(s.kind == kindV6), at[dDst].address(s.kind == kindV6)
	switch {
	case s.kind.isARP():
	case p.Protocol == icmpOf(s.kind):
		p.Type, p.Code = uint8(at[dDstPort].lo>>8), uint8(at[dDstPort].lo)
	default:
		p.SrcPort, p.DstPort = uint16(at[dSrcPort].lo), uint16(at[dDstPort].lo)
	}
	return p
}

func macOf(v value) net.HardwareAddr {
	return net.HardwareAddr{byte(v.lo >> 40), byte(v.lo >> 32), byte(v.lo >> 24), byte(v.lo >> 16), byte(v.lo >> 8), byte(v.lo)}
}

// universe is the whole of a space.
func (s slice) universe() box {
	var b box
	const mac, port = 1<<48 - 1, 1<<16 - 1
	b[dSrcMAC], b[dDstMAC] = span(0, mac), span(0, mac)
	switch s.kind {
	case kindOther:
		b[dProto] = span(0, port)
		return b
	case kindARP, kindRARP:
		b[dProto], b[dSrcPort], b[dDstPort] = span(0, port), span(0, mac), span(0, mac)
		b[dSrc], b[dDst] = addresses(everyV4), addresses(everyV4)
		return b
	case kindV4:
		b[dSrc], b[dDst] = addresses(everyV4), addresses(everyV4)
	case kindV6:
		b[dSrc], b[dDst] = full, full
	}
	b[dState], b[dProto] = span(0, uint64(numStates)-1), span(0, 255)
	b[dSrcPort], b[dDstPort] = span(0, port), span(0, port)
	return b
}

// allSlices are all the spaces.
func allSlices() (out []slice) {
	for k := range numKinds {
		out = append(out, slice{true, k}, slice{false, k})
	}
	return out
}

var protocolNames = map[uint8]string{ipTCP: "tcp", ipUDP: "udp", ipSCTP: "sctp"}

// end writes an address; the one that DHCP will give has no number yet.
func end(a netip.Addr) string {
	if a == leased {
		return "leased"
	}
	return a.String()
}

func endPort(a netip.Addr, port uint16) string {
	if a == leased {
		return fmt.Sprintf("leased:%d", port)
	}
	return netip.AddrPortFrom(a, port).String()
}

// String writes the packet as `sbx explain` reads it, and what else matters.
func (p Packet) String() string {
	text := way(p.In)
	switch kindOf(p.EtherType) {
	case kindOther:
		return fmt.Sprintf("%s frame 0x%04x %s -> %s", text, p.EtherType, p.SrcMAC, p.DstMAC)
	case kindARP, kindRARP:
		return fmt.Sprintf("%s arp %d %s (%s) -> %s", text, p.Protocol, p.Src, p.ARPSource, p.Dst)
	}
	name, known := protocolNames[p.Protocol]
	switch {
	case p.Protocol == icmpOf(kindOf(p.EtherType)):
		text += fmt.Sprintf(" icmp %s -> %s type %d/%d", end(p.Src), end(p.Dst), p.Type, p.Code)
	case known:
		text += fmt.Sprintf(" %s %s -> %s", name, endPort(p.Src, p.SrcPort), endPort(p.Dst, p.DstPort))
	default:
		text += fmt.Sprintf(" protocol %d %s -> %s", p.Protocol, end(p.Src), end(p.Dst))
	}
	if p.State != New {
		text += " state " + p.State.String()
	}
	return text
}
