package virt

import (
	"slices"
	"strings"

	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"
)

// Sandboxes on a network that sbx made find each other by name: libvirt's name
// server there learns each one's names with its addresses. A network of another
// maker is left alone.

// PublishedNames are the records that the name server of a network has of the
// named sandbox; known says whether sbx keeps records there at all.
func PublishedNames(conn *libvirt.Connect, network, sandbox string) (hosts []libvirtxml.NetworkDNSHost, known bool, err error) {
	net, err := OwnNetwork(conn, network)
	if net == nil || err != nil {
		return nil, false, UnlessForeign(err)
	}
	defer net.Free()
	active, err := net.IsActive()
	if goesMeanwhile(err) || err == nil && !active {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, Plain(err)
	}
	all, err := knownHosts(net)
	if goesMeanwhile(err) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, NetworkError(network, err)
	}
	for _, h := range all {
		if len(h.Hostnames) > 0 && h.Hostnames[0].Hostname == sandbox {
			hosts = append(hosts, h)
		}
	}
	return hosts, true, nil
}

// goesMeanwhile says whether a network has just been stopped or removed, by whoever takes
// the last sandbox on it down: its name server knows nobody any more.
func goesMeanwhile(err error) bool {
	code := ErrorCode(err)
	return code == libvirt.ERR_NO_NETWORK || code == libvirt.ERR_OPERATION_INVALID
}

// ShowNames writes records in one line: "10.0.0.2 web www; fd00::2 web www".
func ShowNames(hosts []libvirtxml.NetworkDNSHost) string {
	var records []string
	for _, h := range hosts {
		words := []string{h.IP}
		for _, n := range h.Hostnames {
			words = append(words, n.Hostname)
		}
		records = append(records, strings.Join(words, " "))
	}
	slices.Sort(records)
	return strings.Join(records, "; ")
}

// WithdrawNames makes the name servers of the domain's networks forget it.
func WithdrawNames(conn *libvirt.Connect, d *libvirtxml.Domain) error {
	if d.Devices == nil {
		return nil
	}
	for _, nic := range d.Devices.Interfaces {
		if nic.Source == nil || nic.Source.Network == nil {
			continue
		}
		if err := SetNames(conn, nic.Source.Network.Network, d.Name, nil); err != nil {
			return err
		}
	}
	return nil
}

// DnsHost is an address with the names of its sandbox, the sandbox's own first.
func DnsHost(address, name, hostname string) libvirtxml.NetworkDNSHost {
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

// SetNames makes want all that the network knows of the named sandbox.
func SetNames(conn *libvirt.Connect, network, sandbox string, want []libvirtxml.NetworkDNSHost) error {
	have, known, err := PublishedNames(conn, network, sandbox)
	if !known || err != nil {
		return err
	}
	net, err := OwnNetwork(conn, network)
	if net == nil || err != nil {
		return err
	}
	defer net.Free()
	for _, h := range have {
		if slices.ContainsFunc(want, sameHost(h)) {
			continue
		}
		// By its address alone: the names stand in the record of each address.
		if err := updateHost(net, libvirt.NETWORK_UPDATE_COMMAND_DELETE, libvirtxml.NetworkDNSHost{IP: h.IP}); err != nil && !goesMeanwhile(err) {
			return NetworkError(network, err)
		}
	}
	for _, h := range want {
		if slices.ContainsFunc(have, sameHost(h)) {
			continue
		}
		if err := updateHost(net, libvirt.NETWORK_UPDATE_COMMAND_ADD_LAST, h); err != nil {
			return NetworkError(network, err)
		}
	}
	return nil
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
