package runtime

import (
	"slices"
	"strings"

	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

// Sandboxes on a network that sbx made find each other by name: libvirt's name
// server there learns each one's names with its addresses. A network of another
// maker is left alone.

// publishNames makes the name servers of the sandbox's networks know it, and
// says whether one of them had to learn something.
func publishNames(conn *libvirt.Connect, s *sandbox) (changed bool, err error) {
	if s.domain.Devices == nil {
		return false, nil
	}
	for i, card := range s.domain.Devices.Interfaces {
		if card.Source == nil || card.Source.Network == nil || i >= len(s.manifest.Interfaces) {
			continue
		}
		var hosts []libvirtxml.NetworkDNSHost
		for _, prefix := range s.manifest.Interfaces[i].Addresses {
			address, _, _ := strings.Cut(prefix, "/")
			hosts = append(hosts, dnsHost(address, s.name, s.manifest.Hostname))
		}
		one, err := setNames(conn, card.Source.Network.Network, s.name, hosts)
		if err != nil {
			return changed, err
		}
		changed = changed || one
	}
	return changed, nil
}

// withdrawNames makes the name servers of the domain's networks forget it.
func withdrawNames(conn *libvirt.Connect, d *libvirtxml.Domain) error {
	if d.Devices == nil {
		return nil
	}
	for _, card := range d.Devices.Interfaces {
		if card.Source == nil || card.Source.Network == nil {
			continue
		}
		if _, err := setNames(conn, card.Source.Network.Network, d.Name, nil); err != nil {
			return err
		}
	}
	return nil
}

// dnsHost is an address with the names of its sandbox, the sandbox's own first.
func dnsHost(address, name, hostname string) libvirtxml.NetworkDNSHost {
	host := libvirtxml.NetworkDNSHost{IP: address}
	for _, n := range []string{name, hostname} {
		if n != "" && !hasName(host, n) {
			host.Hostnames = append(host.Hostnames, libvirtxml.NetworkDNSHostHostname{Hostname: n})
		}
	}
	return host
}

func hasName(h libvirtxml.NetworkDNSHost, name string) bool {
	return slices.ContainsFunc(h.Hostnames, func(n libvirtxml.NetworkDNSHostHostname) bool { return n.Hostname == name })
}

// setNames makes want all that the network knows of the named sandbox.
func setNames(conn *libvirt.Connect, network, sandbox string, want []libvirtxml.NetworkDNSHost) (changed bool, err error) {
	net, err := ownNetwork(conn, network)
	if net == nil || err != nil {
		return false, unlessForeign(err)
	}
	defer net.Free()
	active, err := net.IsActive()
	if !active || err != nil {
		return false, plain(err)
	}
	known, err := knownHosts(net)
	if err != nil {
		return false, networkError(network, err)
	}
	for _, h := range known {
		if len(h.Hostnames) == 0 || h.Hostnames[0].Hostname != sandbox || slices.ContainsFunc(want, sameHost(h)) {
			continue
		}
		// By its address alone: the names stand in the record of each address.
		if err := updateHost(net, libvirt.NETWORK_UPDATE_COMMAND_DELETE, libvirtxml.NetworkDNSHost{IP: h.IP}); err != nil {
			return changed, networkError(network, err)
		}
		changed = true
	}
	for _, h := range want {
		if slices.ContainsFunc(known, sameHost(h)) {
			continue
		}
		if err := updateHost(net, libvirt.NETWORK_UPDATE_COMMAND_ADD_LAST, h); err != nil {
			return changed, networkError(network, err)
		}
		changed = true
	}
	return changed, nil
}

// knownHosts are the records of the network's name server.
func knownHosts(net *libvirt.Network) ([]libvirtxml.NetworkDNSHost, error) {
	text, err := net.GetXMLDesc(0)
	if err != nil {
		return nil, err
	}
	n := new(libvirtxml.Network)
	if err := n.Unmarshal(text); err != nil || n.DNS == nil {
		return nil, err
	}
	return n.DNS.Host, nil
}

func sameHost(a libvirtxml.NetworkDNSHost) func(libvirtxml.NetworkDNSHost) bool {
	return func(b libvirtxml.NetworkDNSHost) bool {
		return a.IP == b.IP && slices.Equal(a.Hostnames, b.Hostnames)
	}
}

func updateHost(net *libvirt.Network, command libvirt.NetworkUpdateCommand, h libvirtxml.NetworkDNSHost) error {
	text, err := h.Marshal()
	if err != nil {
		return err
	}
	return net.Update(command, libvirt.NETWORK_SECTION_DNS_HOST, -1, text, libvirt.NETWORK_UPDATE_AFFECT_LIVE|libvirt.NETWORK_UPDATE_AFFECT_CONFIG)
}
