package bound

import (
	"strings"

	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/runtime/internal/virt"
)

// PublishNames makes the name servers of the sandbox's networks know it.
func PublishNames(conn *libvirt.Connect, s *Sandbox) error {
	for network, hosts := range s.Names() {
		if err := virt.SetNames(conn, network, s.Name, hosts); err != nil {
			return err
		}
	}
	return nil
}

// Names are the records that the name server of each of the sandbox's networks
// is to have of it.
func (s *Sandbox) Names() map[string][]libvirtxml.NetworkDNSHost {
	names := map[string][]libvirtxml.NetworkDNSHost{}
	if s.Domain.Devices == nil {
		return names
	}
	for _, nic := range s.Domain.Devices.Interfaces {
		if nic.Source == nil || nic.Source.Network == nil {
			continue
		}
		network := nic.Source.Network.Network
		hosts := names[network] // of another interface on it
		for _, prefix := range s.addressesOf(nic) {
			address, _, _ := strings.Cut(prefix, "/")
			hosts = append(hosts, virt.DnsHost(address, s.Name, s.Manifest.Hostname))
		}
		names[network] = hosts
	}
	return names
}

// addressesOf are those that the manifest gives to the interface of the domain:
// both know it by its MAC address.
func (s *Sandbox) addressesOf(nic libvirtxml.DomainInterface) []string {
	for _, i := range s.Manifest.Interfaces {
		if nic.MAC != nil && nic.MAC.Address == i.MAC {
			return i.Addresses
		}
	}
	return nil
}
