// Package denied is what a sandbox's inner wall has dropped: what is kept of each packet,
// and a table of them that is bounded however many there are, since the sandbox, and
// whoever reaches it, chooses what they are.
package denied

import (
	"encoding/binary"
	"net/netip"
)

// Packet is what tells packets apart that a rule would, and what no rule lets pass. Of
// who sends, the port is left out: it is another one each time.
type Packet struct {
	Wall string `json:"wall"` // the table that dropped it
	In   bool   `json:"in,omitempty"`

	Ether  uint16 `json:"ether"`            // its EtherType
	Tagged bool   `json:"tagged,omitempty"` // of a VLAN
	Sender MAC    `json:"sender,omitzero"`  // the frame's, of what goes out

	// Of IP; of ARP, whose the message says that it is, and whom it asks for.
	From netip.Addr `json:"from,omitzero"`
	To   netip.Addr `json:"to,omitzero"`

	Protocol uint8  `json:"protocol,omitempty"`
	Later    bool   `json:"later,omitempty"`  // a fragment after the first, which has no ports
	Port     uint16 `json:"port,omitempty"`   // where it goes to, of TCP, UDP and SCTP
	Begins   bool   `json:"begins,omitempty"` // a conversation, of TCP and SCTP
	Type     uint8  `json:"type,omitempty"`   // of ICMP
	Code     uint8  `json:"code,omitempty"`
}

// MAC is an address of Ethernet.
type MAC [6]byte

// The protocols of IP of which more than the number is kept.
const (
	ICMP   = 1
	TCP    = 6
	UDP    = 17
	ICMPv6 = 58
	SCTP   = 132
)

// The EtherTypes of which more is kept.
const (
	IPv4 = 0x0800
	ARP  = 0x0806
	IPv6 = 0x86dd
)

// Read fills in what follows from a packet from behind Ethernet's header on, as much of
// it as there is; ports says from which port it comes. What cannot be read stays zero.
func (p *Packet) Read(data []byte) (sourcePort uint16) {
	switch p.Ether {
	case IPv4:
		return p.readIPv4(data)
	case IPv6:
		return p.readIPv6(data)
	case ARP: // of Ethernet and IPv4 (RFC 826)
		if len(data) >= 28 && binary.BigEndian.Uint32(data) == 1<<16|IPv4 && data[4] == 6 && data[5] == 4 {
			p.From, p.To = netip.AddrFrom4([4]byte(data[14:])), netip.AddrFrom4([4]byte(data[24:]))
		}
	}
	return 0
}

// readIPv4 reads RFC 791's header.
func (p *Packet) readIPv4(data []byte) (sourcePort uint16) {
	if len(data) < 20 || data[0]>>4 != 4 {
		return 0
	}
	p.From, p.To, p.Protocol = netip.AddrFrom4([4]byte(data[12:])), netip.AddrFrom4([4]byte(data[16:])), data[9]
	p.Later = binary.BigEndian.Uint16(data[6:])&0x1fff != 0
	head := int(data[0]&0xf) * 4
	if head < 20 || head > len(data) || p.Later {
		return 0
	}
	return p.readTransport(data[head:], ICMP)
}

// maxHeaders is how many headers of IPv6 are passed over: more than any real packet has.
const maxHeaders = 8

// readIPv6 reads RFC 8200's header, and passes over those that come before the protocol.
func (p *Packet) readIPv6(data []byte) (sourcePort uint16) {
	const hopByHop, routing, fragment, authentication, options = 0, 43, 44, 51, 60
	if len(data) < 40 || data[0]>>4 != 6 {
		return 0
	}
	p.From, p.To, p.Protocol = netip.AddrFrom16([16]byte(data[8:])), netip.AddrFrom16([16]byte(data[24:])), data[6]
	data = data[40:]
	for range maxHeaders {
		size := 8
		switch p.Protocol {
		case hopByHop, routing, options:
			if len(data) >= 2 {
				size += 8 * int(data[1])
			}
		case authentication:
			if len(data) >= 2 {
				size = 8 + 4*int(data[1])
			}
		case fragment:
		default:
			return p.readTransport(data, ICMPv6)
		}
		if len(data) < size {
			return 0
		}
		later := p.Protocol == fragment && binary.BigEndian.Uint16(data[2:])&0xfff8 != 0
		p.Protocol, data = data[0], data[size:]
		if later {
			p.Later = true
			return 0
		}
	}
	return 0
}

// readTransport reads the beginning of what IP carries.
func (p *Packet) readTransport(data []byte, icmp uint8) (sourcePort uint16) {
	const syn, ack, initChunk = 0x02, 0x10, 1
	switch p.Protocol {
	case icmp:
		if len(data) >= 2 {
			p.Type, p.Code = data[0], data[1]
		}
		return 0
	case TCP:
		p.Begins = len(data) >= 14 && data[13]&(syn|ack) == syn
	case SCTP:
		p.Begins = len(data) >= 13 && data[12] == initChunk
	case UDP:
	default:
		return 0
	}
	if len(data) < 4 {
		return 0
	}
	p.Port = binary.BigEndian.Uint16(data[2:])
	return binary.BigEndian.Uint16(data)
}
