// Package container is libvirt's LXC: namespaces of the host's own kernel.
package container

import (
	"fmt"
	"net/netip"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler/identity"
	"github.com/sbx-dev/sbx/compiler/libvirt/domain"
	"github.com/sbx-dev/sbx/compiler/resolve"
	"github.com/sbx-dev/sbx/schema"
)

// Kind is the containers.
var Kind = domain.Kind{Backend: schema.LXC, Domain: lower, AppArmor: appArmor, SELinux: policy}

// lower lowers a profile to a container: an empty read-only root with one
// mount for each path, in namespaces of its own. Everything that it leaves out
// is closed. See libvirt's "LXC container driver" and "Domain XML format" pages.
func lower(s *domain.Sandbox) (*libvirtxml.Domain, error) {
	d, err := s.Base()
	if err != nil {
		return nil, err
	}
	granted, err := capabilities(s)
	if err != nil {
		return nil, err
	}
	d.Type = "lxc"
	d.OS = &libvirtxml.DomainOS{
		Type: &libvirtxml.DomainOSType{Type: "exe"},
		Init: "/.sbx/init",
	}
	d.Features = &libvirtxml.DomainFeatureList{
		PrivNet:      &libvirtxml.DomainFeature{},
		Capabilities: granted,
	}
	d.CPUTune.Period = &libvirtxml.DomainCPUTunePeriod{Value: domain.CPUPeriod}
	d.CPUTune.Quota = &libvirtxml.DomainCPUTuneQuota{Value: int64(s.Resources.CPUs * domain.CPUPeriod)}
	d.IDMap = idMap(s.Profile)
	if d.Devices.Filesystems, err = filesystems(s.Name, s.Manifest.Mounts); err != nil {
		return nil, err
	}
	d.Devices.Hostdevs = hostDevices(s.Devices)
	d.Devices.Consoles = []libvirtxml.DomainConsole{console()}
	for i, c := range s.Interfaces {
		if err := addresses(&d.Devices.Interfaces[i], c); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", s.Source.Pos(c.Path), c.Path, err)
		}
	}
	return d, nil
}

// idMap maps the sandbox's ids to host ids that nothing else has.
func idMap(p *schema.Profile) *libvirtxml.DomainIDMap {
	if !p.Users.Namespace {
		return nil
	}
	ids := []libvirtxml.DomainIDMapRange{{Start: 0, Target: uint(identity.HostID(p, 0)), Count: identity.IDCount}}
	return &libvirtxml.DomainIDMap{UIDs: ids, GIDs: ids}
}

// console is there because libvirt starts no container without one; sbx-init
// says on it what it cannot say to the host otherwise.
func console() libvirtxml.DomainConsole {
	return libvirtxml.DomainConsole{
		Source: &libvirtxml.DomainChardevSource{Pty: &libvirtxml.DomainChardevSourcePty{}},
		Target: &libvirtxml.DomainConsoleTarget{Type: "lxc"},
	}
}

// addresses has libvirt set the interface's addresses and routes before the first
// process starts, so that nothing inside needs CAP_NET_ADMIN.
func addresses(i *libvirtxml.DomainInterface, c resolve.Interface) error {
	i.Guest = &libvirtxml.DomainInterfaceGuest{Dev: c.Guest}
	i.Link = &libvirtxml.DomainInterfaceLink{State: "up"} // also without an address, for DHCP
	for _, text := range c.Address {
		a, err := netip.ParsePrefix(text)
		if err != nil {
			return err
		}
		i.IP = append(i.IP, libvirtxml.DomainInterfaceIP{Address: a.Addr().String(), Family: domain.Family(a.Addr()), Prefix: uint(a.Bits())})
	}
	for _, text := range c.Gateway {
		via, err := netip.ParseAddr(text)
		if err != nil {
			return err
		}
		// libvirt wants the destination written out for a default route.
		anywhere := netip.IPv4Unspecified()
		if via.Is6() {
			anywhere = netip.IPv6Unspecified()
		}
		i.Route = append(i.Route, domainRoute(netip.PrefixFrom(anywhere, 0), text))
	}
	for _, r := range c.Routes {
		to, err := netip.ParsePrefix(r.To)
		if err != nil {
			return err
		}
		i.Route = append(i.Route, domainRoute(to, r.Via))
	}
	return nil
}

func domainRoute(to netip.Prefix, via string) libvirtxml.DomainInterfaceRoute {
	return libvirtxml.DomainInterfaceRoute{
		Family:  domain.Family(to.Addr()),
		Address: to.Addr().String(),
		Prefix:  uint(to.Bits()),
		Gateway: via,
	}
}
