package addresses

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
)

// ofNetwork finds who has an address by what the host and its network say: the host
// itself, a reservation, or a lease of somebody who runs.
func (h *host) ofNetwork(m *compiler.Metadata, a compiler.AddressMetadata, ip netip.Addr, skip func(holder) bool) (*holder, error) {
	if a.Bridge != "" {
		return ofBridge(a.Bridge, ip), nil
	}
	for _, conn := range h.conns {
		network, err := conn.LookupNetworkByName(a.Network)
		if virt.ErrorCode(err) == libvirt.ERR_NO_NETWORK || virt.ErrorCode(err) == libvirt.ERR_NO_SUPPORT {
			continue
		}
		if err != nil {
			return nil, virt.NetworkError(a.Network, err)
		}
		defer network.Free()
		return h.inNetwork(m, network, ip, skip)
	}
	return nil, nil
}

func (h *host) inNetwork(m *compiler.Metadata, network *libvirt.Network, ip netip.Addr, skip func(holder) bool) (*holder, error) {
	text, err := network.GetXMLDesc(0)
	if virt.ErrorCode(err) == libvirt.ERR_NO_NETWORK {
		return nil, nil
	}
	if err != nil {
		return nil, virt.Plain(err)
	}
	n := new(libvirtxml.Network)
	if err := n.Unmarshal(text); err != nil {
		return nil, fmt.Errorf("libvirt's XML of a network cannot be read: %w", err)
	}
	if who := written(n, ip, makes(m, n.Name)); who != "" {
		return &holder{who: who}, nil
	}
	leases, err := network.GetDHCPLeases()
	if err != nil {
		return nil, nil // it gives none, or does not run
	}
	for _, l := range leases {
		if of, runs := h.nics[strings.ToLower(l.Mac)]; runs && same(l.IPaddr, ip) && !skip(of) {
			of.who += ", by DHCP"
			return &of, nil
		}
	}
	return nil, nil
}

// written is who has an address by what a network's definition says, or "".
func written(n *libvirtxml.Network, ip netip.Addr, own bool) string {
	for _, i := range n.IPs {
		if same(i.Address, ip) && !own {
			return "the host itself"
		}
		if i.DHCP == nil {
			continue
		}
		for _, reserved := range i.DHCP.Hosts {
			if same(reserved.IP, ip) {
				return fmt.Sprintf("a reservation of the network's (%s)", strings.TrimSpace(reserved.MAC+" "+reserved.Name))
			}
		}
	}
	return ""
}

// makes says whether the sandbox makes the network: with which addresses of the
// host's, its profile says, which has been checked.
func makes(m *compiler.Metadata, network string) bool {
	return slices.Contains(m.Networks, network)
}

// ofBridge finds whether the host has an address on one of its bridges.
func ofBridge(bridge string, ip netip.Addr) *holder {
	link, err := net.InterfaceByName(bridge)
	if err != nil {
		return nil // which virt.CheckWires reports
	}
	list, err := link.Addrs()
	if err != nil {
		return nil
	}
	for _, a := range list {
		if own, err := netip.ParsePrefix(a.String()); err == nil && own.Addr() == ip {
			return &holder{who: "the host itself"}
		}
	}
	return nil
}

// nics are a domain's interfaces.
func nics(d *libvirtxml.Domain) []libvirtxml.DomainInterface {
	if d.Devices == nil {
		return nil
	}
	return d.Devices.Interfaces
}

// source is what an interface is on; neither for one that others do not share.
func source(nic libvirtxml.DomainInterface) (network, bridge string) {
	switch {
	case nic.Source == nil:
	case nic.Source.Network != nil:
		return nic.Source.Network.Network, ""
	case nic.Source.Bridge != nil:
		return "", nic.Source.Bridge.Bridge
	}
	return "", ""
}

func same(text string, ip netip.Addr) bool {
	a, err := netip.ParseAddr(text)
	return err == nil && a == ip
}
