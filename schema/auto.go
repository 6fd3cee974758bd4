package schema

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"net/netip"
	"slices"
	"strings"
)

// Auto stands for addresses that follow from a sandbox's name and the network that
// its profile creates.
const Auto = "auto"

// fillAddresses writes what Auto stands for in its place: on each of the host's
// prefixes, of whose family the list has no address, the one that Derive gives.
// Where there is none, Auto stays, which Check reports.
func (n *Network) fillAddresses(sandbox, key string) {
	at := slices.Index(n.Address, Auto)
	if at < 0 || n.Create == nil {
		return
	}
	var derived List
	for _, text := range n.Create.Address {
		host, err := netip.ParsePrefix(text)
		if err != nil || slices.ContainsFunc(n.Address, func(a string) bool { return a != Auto && strings.Contains(a, ":") == host.Addr().Is6() }) {
			continue
		}
		if n.DHCP && host.Addr().Is4() {
			continue // which gives that one
		}
		if own, ok := n.Create.Derive(host, sandbox, key, func(netip.Addr) bool { return false }); ok {
			derived = append(derived, own.String())
		}
	}
	if len(derived) > 0 {
		n.Address = slices.Replace(slices.Clone(n.Address), at, at+1, derived...)
	}
}

// Derive is the address of the named sandbox's interface on one of the host's
// prefixes: by the names alone, so that it is the same whatever else is on the
// network. It is neither the network's, nor its broadcast address, nor one of the
// host's, nor one that DHCP gives out, nor taken. The key is that of a profile's
// networks, or "". ok is false where there is none.
func (s *Subnet) Derive(host netip.Prefix, sandbox, key string, taken func(netip.Addr) bool) (own netip.Prefix, ok bool) {
	const most = 1 << 16    // tries
	const step = 0x9e3779b1 // odd, so that it comes to each address of a network once
	size := min(host.Addr().BitLen()-host.Bits(), 32)
	if size < 2 {
		return own, false
	}
	start := derivation(sandbox, key)
	for n := range uint64(most) {
		offset := (start + n*step) & (1<<size - 1)
		a := plus(host.Masked().Addr(), offset)
		if offset != 0 && !(a.Is4() && a == last(host)) && !s.gives(a) && !taken(a) {
			return netip.PrefixFrom(a, host.Bits()), true
		}
	}
	return own, false
}

// derivation is where the sandbox's interface begins to look for an address. It is
// part of what a profile means: a release that changed it would move sandboxes.
func derivation(sandbox, key string) uint64 {
	sum := sha256.Sum256([]byte("address\x00" + sandbox + "\x00" + key))
	return binary.BigEndian.Uint64(sum[:8])
}

// plus is an address further on, of which the last 64 bits are enough.
func plus(a netip.Addr, offset uint64) netip.Addr {
	b := a.As16()
	sum, _ := bits.Add64(binary.BigEndian.Uint64(b[8:]), offset, 0)
	binary.BigEndian.PutUint64(b[8:], sum)
	if p := netip.AddrFrom16(b); a.Is4() {
		return p.Unmap()
	}
	return netip.AddrFrom16(b)
}

// gives says whether an address is the host's own, or one that it gives to others.
func (s *Subnet) gives(a netip.Addr) bool {
	for _, text := range s.Address {
		if host, err := netip.ParsePrefix(text); err == nil && host.Addr() == a {
			return true
		}
	}
	from, to, _ := strings.Cut(s.DHCP, "-")
	low, err1 := netip.ParseAddr(from)
	high, err2 := netip.ParseAddr(to)
	return err1 == nil && err2 == nil && low.Compare(a) <= 0 && a.Compare(high) <= 0
}
