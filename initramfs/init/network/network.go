// Package network sets up a machine's interfaces by its manifest.
package network

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/initramfs/manifest"
)

// Loopback brings the machine's loopback up.
func Loopback() error { return setUp("lo") }

// Configure names the machine's interfaces, brings them up, and gives them their
// addresses and routes.
func Configure(interfaces []manifest.Interface) error {
	if len(interfaces) == 0 {
		return nil
	}
	links, err := netlink.LinkList()
	if err != nil {
		return fmt.Errorf("cannot list the network interfaces: %w", err)
	}
	// An interface may have the name that another one is to get.
	for i, link := range links {
		if link.Attrs().Flags&net.FlagLoopback == 0 {
			if err := netlink.LinkSetName(link, fmt.Sprintf("nic%d", i)); err != nil {
				return fmt.Errorf("cannot rename %s: %w", link.Attrs().Name, err)
			}
		}
	}
	for _, i := range interfaces {
		if err := configure(i, links); err != nil {
			return fmt.Errorf("network interface %s: %w", i.Name, err)
		}
	}
	return nil
}

func configure(i manifest.Interface, links []netlink.Link) error {
	link, err := byMAC(i.MAC, links)
	if err != nil {
		return err
	}
	if err := netlink.LinkSetName(link, i.Name); err != nil {
		return fmt.Errorf("cannot name it: %w", err)
	}
	if err := refuseAdvertisements(i.Name); err != nil {
		return err
	}
	for _, text := range i.Addresses {
		if err := addAddress(link, text); err != nil {
			return fmt.Errorf("address %s: %w", text, err)
		}
	}
	if err := setUp(i.Name); err != nil {
		return err
	}
	for _, via := range i.Gateways {
		if err := addRoute(link, nil, via); err != nil {
			return fmt.Errorf("gateway %s: %w", via, err)
		}
	}
	for _, r := range i.Routes {
		_, to, err := net.ParseCIDR(r.To)
		if err == nil {
			err = addRoute(link, to, r.Via)
		}
		if err != nil {
			return fmt.Errorf("route to %s: %w", r.To, err)
		}
	}
	return nil
}

func byMAC(mac string, links []netlink.Link) (netlink.Link, error) {
	address, err := net.ParseMAC(mac)
	if err != nil {
		return nil, err
	}
	for _, link := range links {
		if bytes.Equal(link.Attrs().HardwareAddr, address) {
			return link, nil
		}
	}
	return nil, fmt.Errorf("the machine has no interface with the address %s", mac)
}

func setUp(name string) error {
	link, err := netlink.LinkByName(name)
	if err == nil {
		err = netlink.LinkSetUp(link)
	}
	if err != nil {
		return fmt.Errorf("cannot bring %s up: %w", name, err)
	}
	return nil
}

// refuseAdvertisements keeps routers on the network from giving the interface
// addresses and routes that the profile does not have.
func refuseAdvertisements(name string) error {
	err := os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/accept_ra", []byte("0"), 0)
	if errors.Is(err, os.ErrNotExist) { // a kernel without IPv6
		return nil
	}
	return err
}

// addAddress skips the search for others with the same address: the profile has
// given it to this interface.
func addAddress(link netlink.Link, text string) error {
	address, err := netlink.ParseAddr(text)
	if err != nil {
		return err
	}
	if address.IP.To4() == nil {
		address.Flags |= unix.IFA_F_NODAD
	}
	return netlink.AddrAdd(link, address)
}

// addRoute leads to everything if to is nil.
func addRoute(link netlink.Link, to *net.IPNet, via string) error {
	gateway := net.ParseIP(via)
	if gateway == nil {
		return fmt.Errorf("%q is not an address", via)
	}
	return netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: to, Gw: gateway})
}
