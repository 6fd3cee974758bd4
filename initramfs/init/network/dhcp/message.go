package dhcp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
)

// The fields of a message, by their place (RFC 2131, section 2), and what of them
// never differs here.
const (
	placeXID      = 4
	placeSeconds  = 8
	placeClient   = 12
	placeYours    = 16
	placeHardware = 28
	placeSName    = 44
	placeFile     = 108
	placeCookie   = 236
	placeOptions  = 240

	request, reply       = 1, 2
	ethernet, addressLen = 1, 6

	// leastSize is what a message is filled up to: relays of BOOTP drop shorter ones.
	leastSize = 300
	// mostSize is how long an answer may be, as every message says.
	mostSize = 1500
)

// cookie is what the options of a message begin with.
var cookie = [4]byte{99, 130, 83, 99}

// Options, by their number (RFC 2132; the routes are of RFC 3442).
const (
	optionPad       = 0
	optionMask      = 1
	optionRouter    = 3
	optionAddress   = 50
	optionTime      = 51
	optionOverload  = 52
	optionKind      = 53
	optionServer    = 54
	optionWanted    = 55
	optionText      = 56
	optionMostSize  = 57
	optionRoutes    = 121
	optionEnd       = 255
	longestOption   = 255
	overloadedFile  = 1
	overloadedSName = 2
)

// kind is what a message is.
type kind byte

const (
	discover kind = 1
	offer    kind = 2
	ask      kind = 3 // DHCPREQUEST
	ack      kind = 5
	nak      kind = 6
)

// message is what a client and a server say to each other.
type message struct {
	op       byte
	xid      uint32
	seconds  uint16
	client   netip.Addr // that the client has
	yours    netip.Addr // that it is given
	hardware net.HardwareAddr
	options  map[byte][]byte
}

// bytes are the message as it is sent. No option here is longer than one can be.
func (m *message) bytes() []byte {
	b := make([]byte, placeOptions, leastSize)
	b[0], b[1], b[2] = m.op, ethernet, addressLen
	binary.BigEndian.PutUint32(b[placeXID:], m.xid)
	binary.BigEndian.PutUint16(b[placeSeconds:], m.seconds)
	for place, a := range map[int]netip.Addr{placeClient: m.client, placeYours: m.yours} {
		if a.Is4() {
			copy(b[place:], a.AsSlice())
		}
	}
	copy(b[placeHardware:], m.hardware)
	copy(b[placeCookie:], cookie[:])
	for number := range longestOption { // in one order, the kind of message among the first
		if value, has := m.options[byte(number)]; has {
			b = append(b, byte(number), byte(len(value)))
			b = append(b, value...)
		}
	}
	b = append(b, optionEnd)
	return append(b, make([]byte, max(0, leastSize-len(b)))...)
}

var errNoMessage = errors.New("this is no DHCP message")

// read reads a message, whoever has written it.
func read(b []byte) (*message, error) {
	if len(b) < placeOptions || b[1] != ethernet || b[2] != addressLen || !bytes.Equal(b[placeCookie:placeOptions], cookie[:]) {
		return nil, errNoMessage
	}
	m := &message{
		op:       b[0],
		xid:      binary.BigEndian.Uint32(b[placeXID:]),
		seconds:  binary.BigEndian.Uint16(b[placeSeconds:]),
		client:   netip.AddrFrom4([4]byte(b[placeClient:])),
		yours:    netip.AddrFrom4([4]byte(b[placeYours:])),
		hardware: bytes.Clone(b[placeHardware : placeHardware+addressLen]),
		options:  map[byte][]byte{},
	}
	if err := m.readOptions(b[placeOptions:]); err != nil {
		return nil, err
	}
	// A message without room goes on in fields that say where to boot from.
	over, _ := m.byteOption(optionOverload)
	if over&overloadedFile != 0 {
		if err := m.readOptions(b[placeFile:placeCookie]); err != nil {
			return nil, err
		}
	}
	if over&overloadedSName != 0 {
		return m, m.readOptions(b[placeSName:placeFile])
	}
	return m, nil
}

// readOptions adds options to those that there are. One that is there more than once
// is one that was too long for its length (RFC 3396).
func (m *message) readOptions(b []byte) error {
	for len(b) > 0 && b[0] != optionEnd {
		if b[0] == optionPad {
			b = b[1:]
			continue
		}
		if len(b) < 2 || len(b) < 2+int(b[1]) {
			return errNoMessage
		}
		number, value := b[0], b[2:2+int(b[1])]
		m.options[number] = append(m.options[number], value...)
		b = b[2+len(value):]
	}
	return nil
}

// kind is the message's; 0 where it says none.
func (m *message) kind() kind {
	k, _ := m.byteOption(optionKind)
	return kind(k)
}

func (m *message) byteOption(number byte) (byte, bool) {
	if value := m.options[number]; len(value) == 1 {
		return value[0], true
	}
	return 0, false
}

// address is the first address of an option.
func (m *message) address(number byte) (netip.Addr, bool) {
	if value := m.options[number]; len(value) >= net.IPv4len {
		return netip.AddrFrom4([4]byte(value)), true
	}
	return netip.Addr{}, false
}
