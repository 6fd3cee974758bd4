package virt

import (
	"slices"
	"strings"

	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

// Leases are a sandbox's addresses that DHCP servers chose.
type Leases struct {
	// Leased are those that the servers of libvirt's networks have given its
	// interfaces, which is the host's own knowledge.
	Leased []string `json:"leased,omitempty"`
	// Claimed are those that the sandbox itself says it has, where libvirt knows
	// none: on a bridge, the server is somebody else's.
	Claimed []string `json:"claimed,omitempty"`
}

// NewLeases tells what is leased from what is only claimed.
func NewLeases(leased, claimed []string) Leases {
	return Leases{leased, slices.DeleteFunc(slices.Clone(claimed), func(a string) bool { return slices.Contains(leased, a) })}
}

// Leased are the addresses that libvirt's networks have given the domain's
// interfaces. A network that has gone, or cannot be asked, has given none.
func Leased(conn *libvirt.Connect, d *libvirtxml.Domain) (list []string) {
	if d.Devices == nil {
		return nil
	}
	for _, nic := range d.Devices.Interfaces {
		if nic.Source == nil || nic.Source.Network == nil || nic.MAC == nil {
			continue
		}
		network, err := conn.LookupNetworkByName(nic.Source.Network.Network)
		if err != nil {
			continue
		}
		leases, err := network.GetDHCPLeases()
		network.Free()
		if err != nil {
			continue
		}
		for _, l := range leases {
			if strings.EqualFold(l.Mac, nic.MAC.Address) && !slices.Contains(list, l.IPaddr) {
				list = append(list, l.IPaddr)
			}
		}
	}
	return list
}
