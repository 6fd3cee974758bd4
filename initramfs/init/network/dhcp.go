package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"
	"github.com/vishvananda/netlink"

	"github.com/sbx-dev/sbx/initramfs/manifest"
)

const (
	// leaseLimit is how long servers have to offer a first lease.
	leaseLimit = 30 * time.Second
	// renewPause is between attempts to renew one after half its time is over.
	renewPause = 30 * time.Second
)

// Lease gets the addresses of all cards that have none of their own from their
// networks' DHCP servers, and keeps renewing them for as long as this process
// lives. The cards must be up.
func Lease(interfaces []manifest.Interface) error {
	for _, i := range interfaces {
		if !i.DHCP {
			continue
		}
		if err := lease(i.Name); err != nil {
			return fmt.Errorf("network interface %s: %w", i.Name, err)
		}
	}
	return nil
}

// Leased are the addresses that the cards have now which get theirs from a DHCP
// server.
func Leased(interfaces []manifest.Interface) (list []string) {
	for _, i := range interfaces {
		if !i.DHCP {
			continue
		}
		card, err := net.InterfaceByName(i.Name)
		if err != nil {
			continue
		}
		own, err := card.Addrs()
		if err != nil {
			continue
		}
		for _, a := range own {
			if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil {
				list = append(list, n.IP.String())
			}
		}
	}
	return list
}

func lease(name string) error {
	client, err := nclient4.New(name)
	if err != nil {
		return fmt.Errorf("cannot ask for an address: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), leaseLimit)
	defer cancel()
	got, err := client.Request(ctx)
	if err != nil {
		client.Close()
		return fmt.Errorf("no DHCP server gave it an address: %w", err)
	}
	if err := apply(name, got); err != nil {
		client.Close()
		return err
	}
	go renew(name, client, got)
	return nil
}

// renew keeps the address. One that a server takes back, or that runs out while
// no server answers, is left to the kernel, which removes it in time.
func renew(name string, client *nclient4.Client, held *nclient4.Lease) {
	defer client.Close()
	for {
		time.Sleep(max(leaseTime(held)/2, renewPause))
		for {
			got, err := client.Renew(context.Background(), held)
			if err == nil && apply(name, got) == nil {
				held = got
				break
			}
			var refused *nclient4.ErrNak
			if errors.As(err, &refused) || time.Since(held.CreationTime) > leaseTime(held) {
				if got, err = client.Request(context.Background()); err == nil && apply(name, got) == nil {
					held = got
					break
				}
			}
			time.Sleep(renewPause)
		}
	}
}

func leaseTime(l *nclient4.Lease) time.Duration {
	return l.ACK.IPAddressLeaseTime(time.Hour)
}

// apply sets what a lease gives: the address, for as long as the lease lasts,
// and the routes.
func apply(name string, l *nclient4.Lease) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	address, err := leasedAddress(l.ACK)
	if err != nil {
		return err
	}
	seconds := int(leaseTime(l).Seconds())
	err = netlink.AddrReplace(link, &netlink.Addr{
		IPNet:       address,
		ValidLft:    seconds,
		PreferedLft: seconds,
	})
	if err != nil {
		return fmt.Errorf("address %v: %w", address, err)
	}
	for _, r := range routes(l.ACK) {
		r.LinkIndex = link.Attrs().Index
		if err := netlink.RouteReplace(&r); err != nil {
			return fmt.Errorf("route to %v: %w", r.Dst, err)
		}
	}
	return nil
}

// leasedAddress is a lease's address, with its mask. Whoever answers first on the
// network is the server, and says what it likes.
func leasedAddress(ack *dhcpv4.DHCPv4) (*net.IPNet, error) {
	ip, mask := ack.YourIPAddr.To4(), ack.SubnetMask()
	if mask == nil {
		mask = ip.DefaultMask()
	}
	if ones, bits := mask.Size(); !ip.IsGlobalUnicast() || ones == 0 || bits != 8*net.IPv4len {
		return nil, fmt.Errorf("the DHCP server %v gave it %v with the mask %v, which is no address of a host", ack.ServerIPAddr, ip, mask)
	}
	return &net.IPNet{IP: ip, Mask: mask}, nil
}

// routes are a lease's: the classless ones in place of the router, where there
// are both (RFC 3442).
func routes(ack *dhcpv4.DHCPv4) []netlink.Route {
	var list []netlink.Route
	for _, r := range ack.ClasslessStaticRoute() {
		list = append(list, netlink.Route{Dst: r.Dest, Gw: r.Router})
	}
	if routers := ack.Router(); len(list) == 0 && len(routers) > 0 {
		list = append(list, netlink.Route{Gw: routers[0]})
	}
	return list
}
