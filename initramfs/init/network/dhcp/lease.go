package dhcp

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// Lease is what a server has given.
type Lease struct {
	Address netip.Prefix  // of a host, with the bits of its network
	Routes  []Route       // the classless ones in place of the router (RFC 3442)
	Time    time.Duration // that it holds for; 0xffffffff seconds are without end
	Given   time.Time

	server netip.Addr
}

// Route leads to a network by a router, or to one on the same cable where By is not
// valid.
type Route struct {
	To netip.Prefix
	By netip.Addr
}

// usualTime is a lease's that says none.
const usualTime = time.Hour

// leaseOf is what an answer gives. Whoever answers first on the network is the
// server, and says what it likes.
func leaseOf(m *message, now time.Time) (Lease, error) {
	server, _ := m.address(optionServer)
	l := Lease{Time: usualTime, Given: now, Routes: routesOf(m), server: server}
	if value := m.options[optionTime]; len(value) == 4 {
		l.Time = time.Duration(binary.BigEndian.Uint32(value)) * time.Second
	}
	ip := net.IP(m.yours.AsSlice())
	mask := ip.DefaultMask()
	if value := m.options[optionMask]; len(value) == net.IPv4len {
		mask = value
	}
	bits, of := mask.Size()
	if !ip.IsGlobalUnicast() || bits == 0 || of != 8*net.IPv4len {
		return Lease{}, fmt.Errorf("the DHCP server %v gave it %v with the mask %v, which is no address of a host", server, ip, mask)
	}
	if l.Time == 0 {
		return Lease{}, fmt.Errorf("the DHCP server %v gave it %v for no time at all", server, ip)
	}
	l.Address = netip.PrefixFrom(m.yours, bits)
	return l, nil
}

// routesOf are the routes that an answer gives: none where they cannot be read.
func routesOf(m *message) []Route {
	if list := classless(m.options[optionRoutes]); len(list) > 0 {
		return list
	}
	if router, has := m.address(optionRouter); has {
		return []Route{{To: netip.PrefixFrom(netip.IPv4Unspecified(), 0), By: router}}
	}
	return nil
}

// classless reads a network's bits, as many of its bytes as those take, and its
// router, as often as they are there.
func classless(b []byte) (list []Route) {
	for len(b) > 0 {
		bits := int(b[0])
		known := (bits + 7) / 8
		if bits > 8*net.IPv4len || len(b) < 1+known+net.IPv4len {
			return nil
		}
		var network [net.IPv4len]byte
		copy(network[:], b[1:1+known])
		r := Route{To: netip.PrefixFrom(netip.AddrFrom4(network), bits).Masked()}
		if by := netip.AddrFrom4([4]byte(b[1+known:])); !by.IsUnspecified() {
			r.By = by
		}
		list = append(list, r)
		b = b[1+known+net.IPv4len:]
	}
	return list
}
