package runtime

import (
	"strings"

	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/runtime/internal/virt"
)

// publishNames makes the name servers of the sandbox's networks know it.
func publishNames(conn *libvirt.Connect, s *sandbox) error {
	for network, hosts := range s.names() {
		if err := virt.SetNames(conn, network, s.name, hosts); err != nil {
			return err
		}
	}
	return nil
}

// names are the records that the name server of each of the sandbox's networks
// is to have of it.
func (s *sandbox) names() map[string][]libvirtxml.NetworkDNSHost {
	names := map[string][]libvirtxml.NetworkDNSHost{}
	if s.domain.Devices == nil {
		return names
	}
	for _, card := range s.domain.Devices.Interfaces {
		if card.Source == nil || card.Source.Network == nil {
			continue
		}
		network := card.Source.Network.Network
		hosts := names[network] // of another interface on it
		for _, prefix := range s.addressesOf(card) {
			address, _, _ := strings.Cut(prefix, "/")
			hosts = append(hosts, virt.DnsHost(address, s.name, s.manifest.Hostname))
		}
		names[network] = hosts
	}
	return names
}

// addressesOf are those that the manifest gives to the interface of the domain:
// both know it by its MAC address.
func (s *sandbox) addressesOf(card libvirtxml.DomainInterface) []string {
	for _, i := range s.manifest.Interfaces {
		if card.MAC != nil && card.MAC.Address == i.MAC {
			return i.Addresses
		}
	}
	return nil
}
