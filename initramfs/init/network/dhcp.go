package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/sbx-dev/sbx/initramfs/init/network/dhcp"
	"github.com/sbx-dev/sbx/initramfs/manifest"
)

const (
	// leaseLimit is how long servers have to give a lease, or to renew one.
	leaseLimit = 30 * time.Second
	// renewPause is between attempts to renew one after half its time is over.
	renewPause = 30 * time.Second
)

// Lease gets the addresses of all interfaces that have none of their own from their
// networks' DHCP servers, and keeps renewing them for as long as this process
// lives. The interfaces must be up.
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

// Leased are the addresses that the interfaces have now which get theirs from a DHCP
// server.
func Leased(interfaces []manifest.Interface) (list []string) {
	for _, i := range interfaces {
		if !i.DHCP {
			continue
		}
		nic, err := net.InterfaceByName(i.Name)
		if err != nil {
			continue
		}
		own, err := nic.Addrs()
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
	client, err := dhcp.Open(name)
	if err != nil {
		return fmt.Errorf("cannot ask for an address: %w", err)
	}
	got, err := within(leaseLimit, client.Request)
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

// within gives what asks for a lease a time for it.
func within(limit time.Duration, ask func(context.Context) (dhcp.Lease, error)) (dhcp.Lease, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return ask(ctx)
}

// renew keeps the address. One that a server takes back, or that runs out while
// no server answers, is left to the kernel, which removes it in time.
func renew(name string, client *dhcp.Client, held dhcp.Lease) {
	defer client.Close()
	for {
		time.Sleep(max(held.Time/2, renewPause))
		for {
			got, err := within(leaseLimit, func(ctx context.Context) (dhcp.Lease, error) { return client.Renew(ctx, held) })
			if errors.Is(err, dhcp.ErrRefused) || err != nil && time.Since(held.Given) > held.Time {
				got, err = within(leaseLimit, client.Request)
			}
			if err == nil && apply(name, got) == nil {
				held = got
				break
			}
			time.Sleep(renewPause)
		}
	}
}

// apply sets what a lease gives: the address, for as long as the lease lasts,
// and the routes.
func apply(name string, l dhcp.Lease) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	seconds := int(l.Time.Seconds())
	err = netlink.AddrReplace(link, &netlink.Addr{
		IPNet:       network(l.Address),
		ValidLft:    seconds,
		PreferedLft: seconds,
	})
	if err != nil {
		return fmt.Errorf("address %v: %w", l.Address, err)
	}
	for _, r := range l.Routes {
		if err := netlink.RouteReplace(route(r, link.Attrs().Index)); err != nil {
			return fmt.Errorf("route to %v: %w", r.To, err)
		}
	}
	return nil
}

// route is a lease's, as the kernel takes it.
func route(r dhcp.Route, index int) *netlink.Route {
	way := &netlink.Route{LinkIndex: index, Dst: network(r.To)}
	if r.By.IsValid() {
		way.Gw = r.By.AsSlice()
	} else {
		way.Scope = netlink.SCOPE_LINK
	}
	return way
}

func network(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
