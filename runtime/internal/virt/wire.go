package virt

import (
	"fmt"
	"os"
	"strings"

	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema/diag"
)

// CheckWires refuses interfaces that libvirt would attach without a filter:
// libvirt's nwfilter page names the kinds that it filters, and its container
// driver drops the filter of all others without a word.
func CheckWires(conn *libvirt.Connect, d *libvirtxml.Domain) error {
	if d.Devices == nil {
		return nil
	}
	for _, i := range d.Devices.Interfaces {
		if err := checkWire(conn, i.Source); err != nil {
			return err
		}
	}
	return nil
}

func checkWire(conn *libvirt.Connect, source *libvirtxml.DomainInterfaceSource) error {
	switch {
	case source != nil && source.Bridge != nil:
		return checkBridge(source.Bridge.Bridge)
	case source != nil && source.Network != nil:
		return checkNetwork(conn, source.Network.Network)
	}
	return fault.New(diag.NotFiltered, "an interface is neither on a network nor on a bridge, and libvirt would not filter it")
}

// checkBridge wants a bridge of the kernel's own. Others, such as Open
// vSwitch's, do not take packets past the filter's rules.
func checkBridge(name string) error {
	if _, err := os.Stat("/sys/class/net/" + name + "/bridge"); err != nil {
		return fault.New(diag.NoNetwork, "the host has no bridge %s (or it is not one of the kernel's): ip link lists what there is", name)
	}
	return nil
}

// checkNetwork wants a network that runs and puts interfaces on a bridge. On any
// other, interfaces are macvtap or a device of their own, which has no filter.
func checkNetwork(conn *libvirt.Connect, name string) error {
	network, err := conn.LookupNetworkByName(name)
	if ErrorCode(err) == libvirt.ERR_NO_NETWORK {
		return fault.New(diag.NoNetwork, "libvirt has no network %s: virsh net-list --all lists what there is, and create in the profile makes one", name)
	}
	if err != nil {
		return NetworkError(name, err)
	}
	defer network.Free()
	active, err := network.IsActive()
	if err != nil {
		return NetworkError(name, err)
	}
	if !active {
		return fault.New(diag.NoNetwork, "network %s is not running: virsh net-start %s", name, name)
	}
	text, err := network.GetXMLDesc(0)
	if err != nil {
		return NetworkError(name, err)
	}
	n := new(libvirtxml.Network)
	if err := n.Unmarshal(text); err != nil {
		return NetworkError(name, err)
	}
	if n.Bridge == nil || n.Bridge.Name == "" || n.VirtualPort != nil {
		return fault.New(diag.NotFiltered, "network %s has no bridge of the kernel's, so that libvirt would attach the sandbox without its firewall: use a network with a bridge", name)
	}
	return nil
}

// CheckBindings makes sure that every interface of the running domain is behind
// its filter.
func CheckBindings(conn *libvirt.Connect, d *libvirtxml.Domain) error {
	if d.Devices == nil {
		return nil
	}
	for _, i := range d.Devices.Interfaces {
		bound, err := BoundFilter(conn, i.Target.Dev)
		if err != nil {
			return fault.New(diag.NotFiltered, "its interface %s is not behind the filter %s: %w", i.Target.Dev, i.FilterRef.Filter, err)
		}
		if bound != i.FilterRef.Filter {
			return fault.New(diag.NotFiltered, "its interface %s is behind the filter %s instead of %s", i.Target.Dev, bound, i.FilterRef.Filter)
		}
	}
	return nil
}

// BoundFilter is the filter that the host's interface is behind.
func BoundFilter(conn *libvirt.Connect, device string) (string, error) {
	binding, err := conn.LookupNWFilterBindingByPortDev(device)
	if err != nil {
		return "", Plain(err)
	}
	defer binding.Free()
	// Not GetFilterName: in version 1.12002 of the Go binding it frees a string
	// that stays libvirt's.
	text, err := binding.GetXMLDesc(0)
	if err != nil {
		return "", Plain(err)
	}
	b := new(libvirtxml.NWFilterBinding)
	if err := b.Unmarshal(text); err != nil {
		return "", fmt.Errorf("libvirt's filter binding XML cannot be read: %w", err)
	}
	if b.FilterRef == nil {
		return "", nil
	}
	return b.FilterRef.Filter, nil
}

// StatefulOff lists the kernel's switches that keep bridged packets from the
// stateful half of a filter; its stateless half, which holds the same rules,
// is then all there is. They are there once br_netfilter is loaded, which the first
// of libvirt's stateful rules does.
func StatefulOff() []string {
	var off []string
	for _, name := range []string{"bridge-nf-call-iptables", "bridge-nf-call-ip6tables"} {
		value, err := os.ReadFile("/proc/sys/net/bridge/" + name)
		if err != nil || strings.TrimSpace(string(value)) != "1" {
			off = append(off, "net.bridge."+name)
		}
	}
	return off
}
