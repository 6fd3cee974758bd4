package space

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
	NumStates
)

// String names the state.
func (s State) String() string {
	return [...]string{"new", "original", "reply", "related", "invalid", "untracked"}[s]
}

// EtherTypes with a space of their own.
const (
	EtherIPv4 = 0x0800
	EtherARP  = 0x0806
	EtherRARP = 0x8035
	EtherVLAN = 0x8100
	EtherIPv6 = 0x86dd
)

// IP protocol numbers that rules speak of.
const (
	ProtoICMP   = 1
	ProtoTCP    = 6
	ProtoUDP    = 17
	ProtoICMPv6 = 58
	ProtoSCTP   = 132
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

// Kind tells the spaces apart.
type Kind uint8

const (
	KindV4 Kind = iota
	KindV6
	KindARP
	KindRARP
	KindOther
	numKinds
)

// isARP says whether frames of the kind are messages of ARP's form.
func (k Kind) isARP() bool { return k == KindARP || k == KindRARP }

// Slice is one space: a direction and a kind of frame.
type Slice struct {
	In   bool
	Kind Kind
}

func KindOf(etherType uint16) Kind {
	switch etherType {
	case EtherIPv4:
		return KindV4
	case EtherIPv6:
		return KindV6
	case EtherARP:
		return KindARP
	case EtherRARP:
		return KindRARP
	}
	return KindOther
}

// ICMPOf is the family's own ICMP.
func ICMPOf(k Kind) uint8 {
	if k == KindV6 {
		return ProtoICMPv6
	}
	return ProtoICMP
}

// Place is the packet's space and its point there.
func (p *Packet) Place() (Slice, Point) {
	s := Slice{p.In, KindOf(p.EtherType)}
	at := Point{DimSrcMAC: MacValue(p.SrcMAC), DimDstMAC: MacValue(p.DstMAC)}
	if s.Kind == KindOther {
		at[DimProto] = Number(uint64(p.EtherType))
		return s, at
	}
	at[DimProto] = Number(uint64(p.Protocol))
	at[DimSrc], at[DimDst] = AddressValue(p.Src), AddressValue(p.Dst)
	if s.Kind.isARP() {
		at[DimSrcPort], at[DimDstPort] = MacValue(p.ARPSource), MacValue(p.ARPTarget)
		return s, at
	}
	at[DimState] = Number(uint64(p.State))
	at[DimSrcPort], at[DimDstPort] = Number(uint64(p.SrcPort)), Number(uint64(p.DstPort))
	if p.Protocol == ICMPOf(s.Kind) {
		at[DimSrcPort], at[DimDstPort] = Value{}, Number(uint64(p.Type)<<8|uint64(p.Code))
	}
	return s, at
}

// PacketAt is the inverse of place.
func PacketAt(s Slice, at Point, from Source) Packet {
	p := Packet{In: s.In, Source: from, SrcMAC: macOf(at[DimSrcMAC]), DstMAC: macOf(at[DimDstMAC])}
	switch s.Kind {
	case KindOther:
		p.EtherType = uint16(at[DimProto].Lo)
		return p
	case KindARP, KindRARP:
		p.EtherType = EtherARP
		if s.Kind == KindRARP {
			p.EtherType = EtherRARP
		}
		p.ARPSource, p.ARPTarget = macOf(at[DimSrcPort]), macOf(at[DimDstPort])
	case KindV4:
		p.EtherType = EtherIPv4
	case KindV6:
		p.EtherType = EtherIPv6
	}
	p.Protocol, p.State = uint8(at[DimProto].Lo), State(at[DimState].Lo)
	p.Src, p.Dst = at[DimSrc].Address(s.Kind == KindV6), at[DimDst].Address(s.Kind == KindV6)
	switch {
	case s.Kind.isARP():
	case p.Protocol == ICMPOf(s.Kind):
		p.Type, p.Code = uint8(at[DimDstPort].Lo>>8), uint8(at[DimDstPort].Lo)
	default:
		p.SrcPort, p.DstPort = uint16(at[DimSrcPort].Lo), uint16(at[DimDstPort].Lo)
	}
	return p
}

func macOf(v Value) net.HardwareAddr {
	return net.HardwareAddr{byte(v.Lo >> 40), byte(v.Lo >> 32), byte(v.Lo >> 24), byte(v.Lo >> 16), byte(v.Lo >> 8), byte(v.Lo)}
}

// Universe is the whole of a space.
func (s Slice) Universe() Box {
	var b Box
	const mac, port = 1<<48 - 1, 1<<16 - 1
	b[DimSrcMAC], b[DimDstMAC] = Span(0, mac), Span(0, mac)
	switch s.Kind {
	case KindOther:
		b[DimProto] = Span(0, port)
		return b
	case KindARP, KindRARP:
		b[DimProto], b[DimSrcPort], b[DimDstPort] = Span(0, port), Span(0, mac), Span(0, mac)
		b[DimSrc], b[DimDst] = Addresses(EveryV4), Addresses(EveryV4)
		return b
	case KindV4:
		b[DimSrc], b[DimDst] = Addresses(EveryV4), Addresses(EveryV4)
	case KindV6:
		b[DimSrc], b[DimDst] = Full, Full
	}
	b[DimState], b[DimProto] = Span(0, uint64(NumStates)-1), Span(0, 255)
	b[DimSrcPort], b[DimDstPort] = Span(0, port), Span(0, port)
	return b
}

// AllSlices are all the spaces.
func AllSlices() (out []Slice) {
	for k := range numKinds {
		out = append(out, Slice{true, k}, Slice{false, k})
	}
	return out
}

var protocolNames = map[uint8]string{ProtoTCP: "tcp", ProtoUDP: "udp", ProtoSCTP: "sctp"}

// end writes an address; the one that DHCP will give has no number yet.
func end(a netip.Addr) string {
	if a == Leased {
		return "leased"
	}
	return a.String()
}

func endPort(a netip.Addr, port uint16) string {
	if a == Leased {
		return fmt.Sprintf("leased:%d", port)
	}
	return netip.AddrPortFrom(a, port).String()
}

// String writes the packet as `sbx explain` reads it, and what else matters.
func (p Packet) String() string {
	text := Way(p.In)
	switch KindOf(p.EtherType) {
	case KindOther:
		return fmt.Sprintf("%s frame 0x%04x %s -> %s", text, p.EtherType, p.SrcMAC, p.DstMAC)
	case KindARP, KindRARP:
		return fmt.Sprintf("%s arp %d %s (%s) -> %s", text, p.Protocol, p.Src, p.ARPSource, p.Dst)
	}
	name, known := protocolNames[p.Protocol]
	switch {
	case p.Protocol == ICMPOf(KindOf(p.EtherType)):
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

// Way is a direction in words, as the sandbox sees it: nwfilter's too.
func Way(in bool) string {
	if in {
		return "in"
	}
	return "out"
}
