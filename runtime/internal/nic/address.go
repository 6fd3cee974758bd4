package nic

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/compiler/firewall/space"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/runtime/internal/cgroup"
	"github.com/sbx-dev/sbx/runtime/internal/proc"
)

// GiveAddresses gives the interfaces of a container that has just started the hardware
// addresses that they should have. libvirt sets them while the interfaces are still the
// host's, where systemd-udevd gives each new interface an address of its own
// (MACAddressPolicy= in systemd.link(5)): whichever comes last counts, and with
// udev's the filter drops all that the container sends. Once the container runs,
// its interfaces are out of udev's reach. Its first process waits for this.
func GiveAddresses(dom *libvirt.Domain, interfaces []manifest.Interface) error {
	if len(interfaces) == 0 {
		return nil
	}
	space, err := networkOf(dom)
	if err != nil {
		return fmt.Errorf("the container's network: %w", err)
	}
	defer space.Close()
	inside, err := netlink.NewHandleAt(netns.NsHandle(space.Fd()), unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("the container's network: %w", err)
	}
	defer inside.Close()
	for _, i := range interfaces {
		if err := giveAddress(inside, i); err != nil {
			return fmt.Errorf("the container's network interface %s: %w", i.Name, err)
		}
	}
	return nil
}

// networkOf opens the network namespace of a container: that of the process that
// its controller has started. libvirt's own way to it (virDomainLxcOpenNamespace)
// does not know that process yet when a container has just started.
func networkOf(dom *libvirt.Domain) (*os.File, error) {
	controller, err := cgroup.ControllerOf(dom)
	if err != nil {
		return nil, err
	}
	lists, err := filepath.Glob(proc.Dir(controller) + "/task/*/children")
	if err != nil {
		return nil, err
	}
	for _, list := range lists {
		children, err := os.ReadFile(list)
		if err != nil {
			return nil, err
		}
		for child := range strings.FieldsSeq(string(children)) {
			return os.Open("/proc/" + child + "/ns/net")
		}
	}
	return nil, fmt.Errorf("its controller, the process %d, has started nothing", controller)
}

// giveAddress gives one interface its address, and the link-local one of IPv6 that the
// kernel has made of the other one.
func giveAddress(inside *netlink.Handle, i manifest.Interface) error {
	link, err := inside.LinkByName(i.Name)
	if err != nil {
		return err
	}
	want, err := net.ParseMAC(i.MAC)
	if err != nil {
		return err
	}
	wrong := link.Attrs().HardwareAddr
	if bytes.Equal(wrong, want) {
		return nil
	}
	if err := inside.LinkSetHardwareAddr(link, want); err != nil {
		return fmt.Errorf("cannot set the address %s in the place of %s: %w", want, wrong, err)
	}
	return replaceLinkLocal(inside, link, space.LinkLocal(wrong).AsSlice(), space.LinkLocal(want).AsSlice())
}

// replaceLinkLocal puts one link-local address in the place of another, where the
// interface has that.
func replaceLinkLocal(inside *netlink.Handle, link netlink.Link, wrong, want net.IP) error {
	addresses, err := inside.AddrList(link, unix.AF_INET6)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(addresses, func(a netlink.Addr) bool { return a.IP.Equal(wrong) })
	if i < 0 {
		return nil
	}
	if err := inside.AddrDel(link, &addresses[i]); err != nil {
		return fmt.Errorf("cannot remove the address %s: %w", wrong, err)
	}
	right := &netlink.Addr{IPNet: &net.IPNet{IP: want, Mask: addresses[i].Mask}, Scope: addresses[i].Scope, Flags: unix.IFA_F_NODAD}
	if err := inside.AddrReplace(link, right); err != nil {
		return fmt.Errorf("cannot set the address %s: %w", want, err)
	}
	return nil
}
