package denied

import (
	"fmt"
	"net"
	"slices"

	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/compiler/firewall/nftables"
	"github.com/sbx-dev/sbx/compiler/firewall/space"
	"github.com/sbx-dev/sbx/internal/denied"
	"github.com/sbx-dev/sbx/runtime/internal/innerwall"
)

// tell says of a packet of the interface what it is and which rule it would pass by. held
// is what its wall lets pass now; nil where there is none.
func tell(e denied.Entry, list string, i firewall.Interface, held *innerwall.Held) Packet {
	p := Packet{
		Wall: e.Wall, First: e.First, Last: e.Last, Count: e.Count,
		Direction: space.Way(e.In), Protocol: protocol(e.Packet), From: e.From, To: e.To, List: list,
	}
	if !e.Tagged {
		p.FromPort, p.ToPort = e.SourcePort, e.Port
	}
	if p.Protocol == "icmp" || p.Protocol == "icmpv6" {
		p.Type, p.Code = &e.Type, &e.Code
	}
	if len(i.MAC) != len(denied.MAC{}) {
		p.Why = "what its interface was started with is not known"
		return p
	}
	packet := packetOf(e, i)
	p.Rule, p.Why = firewall.Least(i, packet)
	if p.Rule == "" {
		return p
	}
	switch begun := e.Protocol == denied.TCP || e.Protocol == denied.SCTP; {
	case e.Later:
		p.Rule, p.Why = "", "it is a fragment after the first of a packet, which carries no ports that a rule could ask for: smaller packets pass"
	case begun && !e.Begins:
		p.Rule, p.Why = "", "it is of a conversation that was not let begin, or that is over: what begins one is listed by itself"
	case finds(held, nftables.Opening(packet)):
		p.Passes = true
	case e.Protocol == denied.UDP && finds(held, nftables.Answering(packet)):
		p.Why = "it comes from where the other side may be spoken to: an answer to what nobody has asked, or that came too late, for which nothing need be opened"
	}
	return p
}

func finds(held *innerwall.Held, lookups []nftables.Lookup) bool {
	return held != nil && slices.ContainsFunc(lookups, func(l nftables.Lookup) bool { return held.Has(l.Set, l.Fields...) })
}

// packetOf is what package firewall knows of a packet. The address that is leased stands
// for whatever the lease is.
func packetOf(e denied.Entry, i firewall.Interface) space.Packet {
	p := space.Packet{
		In: e.In, EtherType: e.Ether, SrcMAC: i.MAC, DstMAC: i.MAC, Protocol: e.Protocol, Src: e.From, Dst: e.To,
		SrcPort: e.SourcePort, DstPort: e.Port, Type: e.Type, Code: e.Code,
	}
	if !e.In && e.Sender != (denied.MAC{}) {
		p.SrcMAC = net.HardwareAddr(e.Sender[:])
	}
	if e.Tagged {
		p.EtherType = space.EtherVLAN
	}
	if i.DHCP && e.Ether == denied.IPv4 {
		own := &p.Src
		if e.In {
			own = &p.Dst
		}
		if broadcast := space.EveryV4.To; !own.IsMulticast() && *own != broadcast {
			*own = space.Leased
		}
	}
	return p
}

// protocol is what a packet carries, in words.
func protocol(p denied.Packet) string {
	switch {
	case p.Tagged:
		return fmt.Sprintf("ethertype 0x%04x", space.EtherVLAN)
	case p.Ether == denied.ARP:
		return "arp"
	case p.Ether != denied.IPv4 && p.Ether != denied.IPv6:
		return fmt.Sprintf("ethertype 0x%04x", p.Ether)
	case p.Ether == denied.IPv4 && p.Protocol == denied.ICMP:
		return "icmp"
	case p.Ether == denied.IPv6 && p.Protocol == denied.ICMPv6:
		return "icmpv6"
	case p.Protocol == denied.TCP:
		return "tcp"
	case p.Protocol == denied.UDP:
		return "udp"
	case p.Protocol == denied.SCTP:
		return "sctp"
	}
	return fmt.Sprintf("protocol %d", p.Protocol)
}
