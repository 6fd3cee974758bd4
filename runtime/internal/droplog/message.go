package droplog

import (
	"encoding/binary"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/denied"
	"github.com/sbx-dev/sbx/runtime/internal/innerwall"
)

// What a message of the kernel's tells of a packet, by linux/netfilter/nfnetlink_log.h.
const (
	tellsHeader  = 1 // the EtherType, among others
	tellsPayload = 9
	tellsPrefix  = 10
	tellsNumber  = 12
	tellsMAC     = 16 // Ethernet's header, of what comes in by a port
	tellsVLAN    = 20
	tellsLink    = 21 // Ethernet's header

	typeMask = 1<<14 - 1 // of an attribute's type; the rest are flags
)

// packet is one that the kernel has told.
type packet struct {
	denied.Packet
	sourcePort uint16
	group      uint16
	number     uint32
}

// read calls see with each packet that a datagram of the kernel's tells. What is in the
// packets others have chosen; what cannot be read is left out.
func read(datagram []byte, see func(packet)) {
	for len(datagram) >= unix.NLMSG_HDRLEN {
		size := int(binary.NativeEndian.Uint32(datagram))
		if size < unix.NLMSG_HDRLEN || size > len(datagram) {
			return
		}
		const own = 4 // struct nfgenmsg
		if message := datagram[unix.NLMSG_HDRLEN:size]; binary.NativeEndian.Uint16(datagram[4:]) == messagePacket && len(message) >= own {
			if p, ok := readPacket(message[own:]); ok {
				p.group = binary.BigEndian.Uint16(message[2:])
				see(p)
			}
		}
		datagram = datagram[min(aligned(size), len(datagram)):]
	}
}

func aligned(n int) int { return (n + unix.NLA_ALIGNTO - 1) &^ (unix.NLA_ALIGNTO - 1) }

// readPacket reads the attributes of a message.
func readPacket(data []byte) (p packet, ok bool) {
	var payload, link []byte
	for len(data) >= unix.NLA_HDRLEN {
		size := int(binary.NativeEndian.Uint16(data))
		if size < unix.NLA_HDRLEN || size > len(data) {
			break
		}
		value := data[unix.NLA_HDRLEN:size]
		switch binary.NativeEndian.Uint16(data[2:]) & typeMask {
		case tellsHeader:
			if len(value) >= 2 {
				p.Ether = binary.BigEndian.Uint16(value)
			}
		case tellsPayload:
			payload = value
		case tellsPrefix:
			p.Wall, p.In, ok = innerwall.Way(strings.TrimRight(string(value), "\x00"))
		case tellsNumber:
			if len(value) >= 4 {
				p.number = binary.BigEndian.Uint32(value)
			}
		case tellsMAC, tellsLink:
			link = value
		case tellsVLAN:
			p.Tagged = true
		}
		data = data[min(aligned(size), len(data)):]
	}
	if !p.In && len(link) >= 12 {
		p.Sender = denied.MAC(link[6:12])
	}
	if !p.Tagged { // else the EtherType is that behind the tag, or the payload begins with it
		p.sourcePort = p.Read(payload)
	}
	return p, ok
}
