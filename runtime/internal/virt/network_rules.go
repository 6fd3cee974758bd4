package virt

import (
	"net/netip"
	"slices"

	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/runtime/internal/netrules"
)

// MendNetworks has libvirt put the rules of its networks back, which it makes as it starts.
const MendNetworks = "systemctl restart libvirtd, or virtnetworkd where each driver has a daemon"

// stopNetwork stops a network that sbx made, or has stopped before it was interrupted. What
// libvirt has forgotten of it in the host's packet filter goes, too; that of another machine
// cannot be reached from here.
func stopNetwork(network *libvirt.Network, local bool) error {
	rules, err := rulesOf(network)
	if err != nil {
		return err
	}
	if err := network.Destroy(); err != nil && ErrorCode(err) != libvirt.ERR_OPERATION_INVALID {
		return err
	}
	if !local {
		return nil
	}
	return rules.Forget()
}

// rulesOf is what libvirt's rules of a network speak of.
func rulesOf(network *libvirt.Network) (rules netrules.Network, err error) {
	text, err := network.GetXMLDesc(0)
	if err != nil {
		return rules, err
	}
	n := new(libvirtxml.Network)
	if err := n.Unmarshal(text); err != nil || n.Bridge == nil {
		return rules, err
	}
	var own []netip.Prefix
	for _, ip := range n.IPs {
		address, err := netip.ParseAddr(ip.Address)
		if err != nil {
			return rules, err
		}
		own = append(own, netip.PrefixFrom(address, int(ip.Prefix)))
	}
	return netrules.Of(n.Bridge.Name, own), nil
}

// Ruleless are those of the networks that sbx made which run, and of which this host's
// packet filter has none of libvirt's rules, because somebody has removed them. libvirt
// makes some for every kind of network that sbx makes; byIptables says whether iptables has
// some that name a bridge.
func Ruleless(conn *libvirt.Connect, byIptables func(bridge string) (bool, error)) (names []string, err error) {
	own, err := OwnNetworks(conn)
	if err != nil {
		return nil, err
	}
	for _, name := range own {
		lacks, err := lacksRules(conn, name, byIptables)
		if err != nil && !goesMeanwhile(err) {
			return nil, NetworkError(name, err)
		}
		if lacks {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

func lacksRules(conn *libvirt.Connect, name string, byIptables func(bridge string) (bool, error)) (bool, error) {
	network, err := OwnNetwork(conn, name)
	if network == nil || err != nil {
		return false, err
	}
	defer network.Free()
	if active, err := network.IsActive(); err != nil || !active {
		return false, err
	}
	rules, err := rulesOf(network)
	if err != nil {
		return false, err
	}
	if has, err := rules.Any(); has || err != nil {
		return false, err
	}
	has, err := byIptables(rules.Bridge)
	return err == nil && !has, err
}
