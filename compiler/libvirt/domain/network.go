package domain

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler/identity"
	"github.com/sbx-dev/sbx/compiler/resolve"
)

// networkXML is the libvirt network that a profile owns: a bridge of its own,
// with the host's addresses on it. See libvirt's "Network XML format" page.
func networkXML(c resolve.Interface) (*libvirtxml.Network, error) {
	owned := &Metadata{Networks: []string{c.Attach}}
	metadata, err := owned.Encode()
	if err != nil {
		return nil, err
	}
	n := &libvirtxml.Network{
		Name:     c.Attach,
		UUID:     identity.UUID("network", c.Attach),
		Metadata: &libvirtxml.NetworkMetadata{XML: metadata},
		Forward:  forward(c.Create.Mode),
		Bridge:   &libvirtxml.NetworkBridge{Name: identity.Bridge(c.Attach), STP: "off", Delay: "0"},
		MAC:      &libvirtxml.NetworkMAC{Address: identity.MAC("", c.Attach).String()},
	}
	if c.Create.Domain != "" {
		n.Domain = &libvirtxml.NetworkDomain{Name: c.Create.Domain, LocalOnly: "yes"}
	}
	for _, text := range c.Create.Address {
		ip, err := networkIP(text, c.Create.DHCP)
		if err != nil {
			return nil, err
		}
		n.IPs = append(n.IPs, ip)
	}
	return n, nil
}

// forward is how packets leave the network; an isolated one has no uplink.
func forward(mode string) *libvirtxml.NetworkForward {
	switch mode {
	case "nat":
		return &libvirtxml.NetworkForward{Mode: mode, NAT: &libvirtxml.NetworkForwardNAT{IPv6: "yes"}}
	case "route":
		return &libvirtxml.NetworkForward{Mode: mode}
	}
	return nil
}

// networkIP is one of the host's addresses; the one whose prefix holds the DHCP
// range offers it.
func networkIP(text, dhcp string) (libvirtxml.NetworkIP, error) {
	address, err := netip.ParsePrefix(text)
	if err != nil {
		return libvirtxml.NetworkIP{}, err
	}
	ip := libvirtxml.NetworkIP{
		Address: address.Addr().String(),
		Family:  Family(address.Addr()),
		Prefix:  uint(address.Bits()),
	}
	if dhcp == "" {
		return ip, nil
	}
	low, high, _ := strings.Cut(dhcp, "-")
	from, err1 := netip.ParseAddr(low)
	to, err2 := netip.ParseAddr(high)
	if err1 != nil || err2 != nil {
		return ip, fmt.Errorf("dhcp range %q is not of the form \"10.0.0.100-10.0.0.200\"", dhcp)
	}
	if address.Contains(from) && address.Contains(to) {
		ip.DHCP = &libvirtxml.NetworkDHCP{Ranges: []libvirtxml.NetworkDHCPRange{{Start: low, End: high}}}
	}
	return ip, nil
}

// creators are the interfaces that bring a network of the profile's own along:
// one for each network, however many are on it.
func creators(all []resolve.Interface) (list []resolve.Interface) {
	for _, i := range all {
		same := func(other resolve.Interface) bool { return other.Attach == i.Attach }
		if i.Create != nil && !slices.ContainsFunc(list, same) {
			list = append(list, i)
		}
	}
	return list
}
