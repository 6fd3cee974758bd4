// Package randompolicy draws allow-lists, the interfaces that they guard and packets
// near to what they speak of, for property tests of what enforces them.
package randompolicy

import (
	"math/rand/v2"
	"net"
	"net/netip"

	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/compiler/firewall/space"
	"github.com/sbx-dev/sbx/schema"
)

// otherMAC is another machine's.
var otherMAC = []byte{0x02, 0xff, 0, 0, 0, 0xfe}

// Rules draws an allow-list from all that a profile can say.
func Rules(r *rand.Rand) firewall.Rules {
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
	return firewall.Rules{Allow: list, Path: "network.allow",
		Peers: map[string][]netip.Addr{"db": {netip.MustParseAddr("10.0.0.7"), netip.MustParseAddr("fd00::7")}}}
}

// NIC is an interface of these addresses.
func NIC(addresses ...string) firewall.Interface {
	i := firewall.Interface{Filter: "sbx-test", UUID: "8f5be0e4-55a1-5d4e-9a3b-0d1c6f0a9a11", MAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}}
	for _, a := range addresses {
		i.Addresses = append(i.Addresses, netip.MustParseAddr(a))
	}
	return i
}

// Interface draws one: of one family or of both, of several addresses, or of a leased one.
func Interface(r *rand.Rand) firewall.Interface {
	i := NIC([][]string{{"10.0.0.80"}, {"10.0.0.80", "fd00::80"}, {"fd00::80"}, {"10.0.0.80", "10.0.0.81", "fd00::80", "fd00:1::80"}, {}}[r.IntN(5)]...)
	i.DHCP = len(i.Addresses) == 0
	return i
}

// Packet draws a packet near to what policies speak of.
func Packet(r *rand.Rand, p *firewall.Policy) space.Packet {
	pick := func(words ...string) netip.Addr { return netip.MustParseAddr(words[r.IntN(len(words))]) }
	packet := space.Packet{In: r.IntN(2) == 0, Source: space.Source(r.IntN(3)), State: space.State(r.IntN(int(space.NumStates))), EtherType: space.EtherIPv4,
		SrcMAC: otherMAC, DstMAC: p.Interface().MAC, Protocol: []uint8{space.ProtoTCP, space.ProtoTCP, space.ProtoUDP, space.ProtoSCTP, space.ProtoICMP, space.ProtoICMPv6, 47}[r.IntN(7)]}
	remote, own := pick("10.0.0.9", "10.0.0.7", "10.0.0.60", "192.168.3.4", "8.8.8.8"), pick("10.0.0.80", "10.0.0.81", "0.0.0.1", "10.0.0.82", "0.0.0.0")
	if r.IntN(2) == 0 {
		packet.EtherType = space.EtherIPv6
		remote, own = pick("fd00::9", "fd00::7", "fd00::ff", "2001:db8::1", "fe80::1"), pick("fd00::80", "fd00:1::80", "fe80::ff:fe00:1", "::", "fd00::81")
	}
	port := func() uint16 { return []uint16{22, 53, 80, 443, 65535, 68, 67, uint16(r.IntN(65536))}[r.IntN(8)] }
	packet.Src, packet.Dst, packet.SrcPort, packet.DstPort = remote, own, port(), port()
	packet.Type, packet.Code = []uint8{0, 8, 3, 128, 129, 1, 2, 135, 134, 13, 14}[r.IntN(11)], uint8(r.IntN(6))
	if !packet.In {
		packet.Src, packet.Dst = own, remote
		if packet.SrcMAC = p.Interface().MAC; r.IntN(5) == 0 {
			packet.SrcMAC = otherMAC
		}
	}
	switch r.IntN(12) {
	case 0:
		packet.EtherType = space.EtherVLAN
	case 1:
		packet.EtherType, packet.Protocol = space.EtherARP, 1
		packet.ARPSource, packet.ARPTarget = packet.SrcMAC, otherMAC
		packet.Src, packet.Dst = pick("10.0.0.80", "0.0.0.0", "10.0.0.81", "0.0.0.1"), pick("10.0.0.9", "10.0.0.80")
	}
	return packet
}
