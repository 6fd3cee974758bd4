// Package netrules takes out of this host's packet filter what libvirt has forgotten there
// of a network.
//
// Where libvirt makes the rules of its networks by nftables (firewall_backend in
// /etc/libvirt/network.conf, the default of some distributions), it notes with a network
// that runs which rules are its own, and takes these out when the network stops. It loses
// that note when the network is changed meanwhile, as by a name that its name server is
// told. Then all of its rules stay, its NAT among them, and are there twice once libvirtd
// has been restarted. It does so without sbx, too (libvirt 11.3: virsh net-start,
// net-update, net-destroy).
package netrules

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/runtime/internal/nferr"
)

// Table is the one that libvirt has for its networks, of IPv4 and of IPv6.
const Table = "libvirt_network"

// Network is what its rules speak of.
type Network struct {
	Bridge   string // its name
	index    uint32 // by which the kernel knows it; 0: there is none
	Prefixes []netip.Prefix
}

// Of is a network that runs: once it has stopped, nobody knows its bridge's index.
func Of(bridge string, prefixes []netip.Prefix) Network {
	n := Network{Bridge: bridge, Prefixes: prefixes}
	if i, err := net.InterfaceByName(bridge); err == nil {
		n.index = uint32(i.Index)
	}
	return n
}

// tries is how often it is begun anew where another one changed the table meanwhile.
const tries = 10

// Forget takes out all rules of a network that has stopped. Where libvirt has done so, or
// does not use nftables, there are none.
func (n Network) Forget() (err error) {
	for range tries {
		if err = n.forget(); !nferr.Is(err, unix.ENOENT, unix.EINTR, unix.EAGAIN, unix.EBUSY) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("cannot take the rules of the bridge %s out of libvirt's table %s of nftables: %w", n.Bridge, Table, err)
	}
	return nil
}

func (n Network) forget() error {
	conn, err := nftables.New(nftables.AsLasting())
	if nferr.IsUnable(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer conn.CloseLasting()
	own, err := n.rules(conn)
	if len(own) == 0 || err != nil {
		return err
	}
	for _, r := range own {
		if err := conn.DelRule(r); err != nil {
			return err
		}
	}
	return conn.Flush()
}

// Any says whether there is a rule of the network that nftables made, and not iptables.
func (n Network) Any() (bool, error) {
	conn, err := nftables.New(nftables.AsLasting())
	if nferr.IsUnable(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("libvirt's table %s of nftables: %w", Table, err)
	}
	defer conn.CloseLasting()
	own, err := n.rules(conn)
	if nferr.Is(err, unix.ENOENT, unix.EINTR) { // somebody changes it just now: it is there
		return true, nil
	}
	return len(own) > 0, err
}

// rules are the network's.
func (n Network) rules(conn *nftables.Conn) (own []*nftables.Rule, err error) {
	for _, family := range []nftables.TableFamily{nftables.TableFamilyIPv4, nftables.TableFamilyIPv6} {
		all, err := rulesOf(conn, family)
		if err != nil {
			return nil, err
		}
		for _, r := range all {
			if n.speaksOf(r.Exprs, family) {
				own = append(own, r)
			}
		}
	}
	return own, nil
}

// rulesOf are all rules in libvirt's table of a family; none where there is no such table.
func rulesOf(conn *nftables.Conn, family nftables.TableFamily) (all []*nftables.Rule, err error) {
	chains, err := conn.ListChainsOfTableFamily(family)
	if nferr.IsUnable(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, c := range chains {
		if c.Table.Name != Table {
			continue
		}
		rules, err := conn.GetRules(c.Table, c)
		if err != nil {
			return nil, err
		}
		all = append(all, rules...)
	}
	return all, nil
}

// speaksOf says whether a rule is the network's: it names its bridge, or is about what
// comes from its addresses. That is how libvirt writes each of them; no other network that
// runs has the same prefix.
func (n Network) speaksOf(rule []expr.Any, family nftables.TableFamily) bool {
	var read expr.Any // what the next comparison is with
	var mask []byte
	for _, e := range rule {
		switch e := e.(type) {
		case *expr.Meta, *expr.Payload:
			read, mask = e, nil
		case *expr.Bitwise:
			mask = e.Mask
		case *expr.Cmp:
			if e.Op == expr.CmpOpEq && (n.isBridge(read, e.Data) || n.isSource(read, family, mask, e.Data)) {
				return true
			}
		}
	}
	return false
}

func (n Network) isBridge(read expr.Any, value []byte) bool {
	m, ok := read.(*expr.Meta)
	if !ok {
		return false
	}
	switch m.Key {
	case expr.MetaKeyIIF, expr.MetaKeyOIF:
		return n.index != 0 && bytes.Equal(value, binaryutil.NativeEndian.PutUint32(n.index))
	case expr.MetaKeyIIFNAME, expr.MetaKeyOIFNAME:
		return strings.TrimRight(string(value), "\x00") == n.Bridge
	}
	return false
}

// isSource says whether it is the sender's address, and within which of its bits.
func (n Network) isSource(read expr.Any, family nftables.TableFamily, mask, value []byte) bool {
	p, ok := read.(*expr.Payload)
	offset, size := uint32(12), 4
	if family == nftables.TableFamilyIPv6 {
		offset, size = 8, 16
	}
	if !ok || p.Base != expr.PayloadBaseNetworkHeader || p.Offset != offset || len(value) > size {
		return false
	}
	if mask == nil {
		mask = bytes.Repeat([]byte{0xff}, len(value)) // nft reads no more than the prefix has
	}
	bits, whole := net.IPMask(append(mask[:len(mask):len(mask)], make([]byte, size-len(mask))...)).Size()
	if whole == 0 {
		return false
	}
	from, _ := netip.AddrFromSlice(append(value[:len(value):len(value)], make([]byte, size-len(value))...))
	for _, own := range n.Prefixes {
		if own.Masked() == netip.PrefixFrom(from, bits) {
			return true
		}
	}
	return false
}
