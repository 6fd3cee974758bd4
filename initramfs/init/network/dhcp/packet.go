package dhcp

import (
	"encoding/binary"
	"net"
)

// The ports of both sides.
const (
	serverPort = 67
	clientPort = 68
)

// The headers around a message, without options of IP.
const (
	ipHeader  = 20
	udpHeader = 8
	udp       = 17
)

// packet puts a message into a datagram of one that has no address yet, to everybody.
func packet(message []byte) []byte {
	b := make([]byte, ipHeader+udpHeader, ipHeader+udpHeader+len(message))
	b[0] = 4<<4 | ipHeader/4
	binary.BigEndian.PutUint16(b[2:], uint16(cap(b)))
	b[8], b[9] = 64, udp // hops, protocol
	copy(b[16:], net.IPv4bcast.To4())
	binary.BigEndian.PutUint16(b[10:], ^sum(0, b[:ipHeader]))

	u := b[ipHeader:]
	binary.BigEndian.PutUint16(u, clientPort)
	binary.BigEndian.PutUint16(u[2:], serverPort)
	binary.BigEndian.PutUint16(u[4:], uint16(udpHeader+len(message)))
	b = append(b, message...)
	u = b[ipHeader:]
	total := sum(uint32(udp+len(u)), b[12:ipHeader]) // both addresses, protocol and length
	total = ^sum(uint32(total), u)
	if total == 0 { // which would say that there is none
		total = 0xffff
	}
	binary.BigEndian.PutUint16(u[6:], total)
	return b
}

// sum adds up b as the checksums of IP and UDP do. An odd end is as if a zero followed.
func sum(total uint32, b []byte) uint16 {
	for ; len(b) > 1; b = b[2:] {
		total += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		total += uint32(b[0]) << 8
	}
	for total > 0xffff {
		total = total>>16 + total&0xffff
	}
	return uint16(total)
}

// payload is the message in a datagram to a client. Checksums are not looked at: those
// of a server on this host are left to an interface that there is not.
func payload(b []byte) ([]byte, bool) {
	if len(b) < ipHeader || b[0]>>4 != 4 || b[9] != udp {
		return nil, false
	}
	header, length := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	fragment := binary.BigEndian.Uint16(b[6:]) & 0x3fff // more to come, or not the first
	if header < ipHeader || length < header+udpHeader || length > len(b) || fragment != 0 {
		return nil, false
	}
	u := b[header:length] // what follows is the frame's
	if size := int(binary.BigEndian.Uint16(u[4:])); size >= udpHeader && size <= len(u) && binary.BigEndian.Uint16(u[2:]) == clientPort {
		return u[udpHeader:size], true
	}
	return nil, false
}
