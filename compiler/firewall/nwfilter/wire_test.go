package nwfilter

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"net/netip"

	"github.com/sbx-dev/sbx/compiler/firewall/space"
)

// tokenMagic begins the eight bytes by which a probe is recognized where it
// arrives; its number follows.
var tokenMagic = []byte("sbx!")

func token(n uint32) []byte { return binary.BigEndian.AppendUint32(bytes.Clone(tokenMagic), n) }

// tokenIn finds the number of the probe that the data carries.
func tokenIn(data []byte) (uint32, bool) {
	i := bytes.Index(data, tokenMagic)
	if i < 0 || len(data) < i+8 {
		return 0, false
	}
	return binary.BigEndian.Uint32(data[i+4:]), true
}

// ethernet writes the packet as an Ethernet frame.
func ethernet(p space.Packet, n uint32, about []byte) []byte {
	out := append(bytes.Clone(p.DstMAC), p.SrcMAC...)
	switch space.KindOf(p.EtherType) {
	case space.KindARP:
		out = binary.BigEndian.AppendUint16(out, space.EtherARP)
		out = append(out, 0, 1, 8, 0, 6, 4, 0, p.Protocol)
		out = append(out, p.ARPSource...)
		out = append(out, p.Src.AsSlice()...)
		out = append(out, p.ARPTarget...)
		out = append(out, p.Dst.AsSlice()...)
		return append(out, token(n)...)
	case space.KindOther:
		out = binary.BigEndian.AppendUint16(out, p.EtherType)
		out = append(out, 0, 5, 8, 0) // in a VLAN: tag 5, IPv4
		return append(out, token(n)...)
	}
	out = binary.BigEndian.AppendUint16(out, p.EtherType)
	return append(out, ipPacket(p, n, about)...)
}

// ipPacket writes the packet from its IP header on. about is the packet that an
// ICMP error complains of.
func ipPacket(p space.Packet, n uint32, about []byte) []byte {
	body := transport(p, n, about)
	if p.Src.Is6() {
		h := []byte{0x60, 0, 0, 0, byte(len(body) >> 8), byte(len(body)), p.Protocol, 255}
		return append(append(append(h, p.Src.AsSlice()...), p.Dst.AsSlice()...), body...)
	}
	h := []byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, p.Protocol, 0, 0}
	h = append(append(h, p.Src.AsSlice()...), p.Dst.AsSlice()...)
	binary.BigEndian.PutUint16(h[2:], uint16(20+len(body)))
	binary.BigEndian.PutUint16(h[10:], checksum(h))
	return append(h, body...)
}

func transport(p space.Packet, n uint32, about []byte) []byte {
	ports := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, p.SrcPort), p.DstPort)
	switch {
	case p.Protocol == space.ICMPOf(space.KindOf(p.EtherType)):
		return icmpMessage(p, n, about)
	case p.Protocol == space.ProtoTCP:
		flags := byte(0x02) // SYN
		if p.State == space.Reply {
			flags = 0x12 // SYN, ACK
		}
		b := append(ports, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, flags, 0x20, 0, 0, 0, 0, 0)
		return sealed(p, append(b, token(n)...), 16)
	case p.Protocol == space.ProtoUDP:
		b := append(ports, 0, 16, 0, 0)
		return sealed(p, append(b, token(n)...), 6)
	case p.Protocol == space.ProtoSCTP:
		return sctpInit(p, n, ports)
	}
	return append([]byte{0, 0, 0, 0}, token(n)...)
}

// sctpInit is an INIT, or an INIT ACK as the answer to one, with the token in an
// optional parameter (RFC 9260).
func sctpInit(p space.Packet, n uint32, ports []byte) []byte {
	kind, tag := byte(1), []byte{0, 0, 0, 0}
	if p.State == space.Reply {
		kind, tag = 2, []byte{0, 0, 0, 7}
	}
	b := append(append(ports, tag...), 0, 0, 0, 0)
	b = append(b, kind, 0, 0, 32, 0, 0, 0, 7, 0, 0, 0x20, 0, 0, 1, 0, 1, 0, 0, 0, 1)
	b = append(append(b, 0x80, 8, 0, 12), token(n)...)
	binary.LittleEndian.PutUint32(b[8:], crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// icmpMessage writes a message of the family's ICMP. The source port is the
// identifier of an echo.
func icmpMessage(p space.Packet, n uint32, about []byte) []byte {
	b := []byte{p.Type, p.Code, 0, 0, byte(p.SrcPort >> 8), byte(p.SrcPort), 0, 1}
	switch {
	case about != nil:
		b = []byte{p.Type, p.Code, 0, 0, 0, 0, 0, 0}
		b = append(b, about...)
	case p.EtherType == space.EtherIPv6 && (p.Type == 135 || p.Type == 136):
		b = append(b, p.Dst.AsSlice()...)
		b = append(b, 253, 2, 0, 0, 0, 0, 0, 0) // an option of 16 bytes
	case p.EtherType == space.EtherIPv4 && (p.Type == 13 || p.Type == 14):
		b = append(b, 0, 0, 0, 0)
	}
	b = append(b, token(n)...)
	if p.EtherType == space.EtherIPv6 {
		return sealed(p, b, 2)
	}
	binary.BigEndian.PutUint16(b[2:], checksum(b))
	return b
}

// sealed puts the checksum over the body and the pseudo header at an offset.
func sealed(p space.Packet, body []byte, at int) []byte {
	pseudo := append(p.Src.AsSlice(), p.Dst.AsSlice()...)
	pseudo = append(pseudo, 0, 0, byte(len(body)>>8), byte(len(body)), 0, 0, 0, p.Protocol)
	binary.BigEndian.PutUint16(body[at:], checksum(append(pseudo, body...)))
	return body
}

// checksum is the Internet's (RFC 1071).
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
	}
	if len(b)%2 == 1 {
		sum += uint32(b[len(b)-1]) << 8
	}
	for sum>>16 != 0 {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

func addrs(texts ...string) (out []netip.Addr) {
	for _, t := range texts {
		out = append(out, netip.MustParseAddr(t))
	}
	return out
}
