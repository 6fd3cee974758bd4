package network

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/sbx-dev/sbx/initramfs/init/network/dhcp"
	"github.com/sbx-dev/sbx/initramfs/manifest"
)

// offers are what a server gives besides the address, as dnsmasq's options. By itself
// it gives its own address as the router's, and the mask of its interface.
var offers = map[string][]string{
	"router":  {"1,255.255.255.128"},
	"routes":  {"1,255.255.255.128", "3,192.0.2.9", "121,203.0.113.0/24,192.0.2.1"},
	"address": {"1", "3"},
}

// leaseTask gets an address from a server at the other end of an interface's cable.
func leaseTask() error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "eth0"
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "server"}); err != nil {
		return err
	}
	for _, name := range []string{"lo", "server", "eth0"} {
		if err := setUp(name); err != nil {
			return err
		}
	}
	link, err := netlink.LinkByName("server")
	if err != nil {
		return err
	}
	if err := addAddress(link, "192.0.2.1/24"); err != nil {
		return err
	}
	if err := startServer(offers[os.Args[1]]); err != nil {
		return err
	}
	interfaces := []manifest.Interface{{Name: "none"}, {Name: "eth0", DHCP: true}}
	if err := Lease(interfaces); err != nil {
		return tell(err)
	}
	if got := Leased(interfaces); !slices.Equal(got, []string{"192.0.2.77"}) {
		return tell(&net.AddrError{Err: "leased", Addr: strings.Join(got, " ")})
	}
	return tell(renewOnce())
}

// renewOnce gets the same address once more, and has its server renew it.
func renewOnce() error {
	client, err := dhcp.Open("eth0")
	if err != nil {
		return err
	}
	defer client.Close()
	first, err := within(leaseLimit, client.Request)
	if err != nil {
		return err
	}
	next, err := within(leaseLimit, func(ctx context.Context) (dhcp.Lease, error) { return client.Renew(ctx, first) })
	if err != nil {
		return err
	}
	if next.Address != first.Address || next.Time != time.Hour || !next.Given.After(first.Given) {
		return fmt.Errorf("%+v is renewed to %+v", first, next)
	}
	return nil
}

// startServer has dnsmasq, which libvirt's networks have too, give 192.0.2.77 to whoever
// asks. It ends with this process, the first of its namespace.
func startServer(options []string) error {
	argv := []string{
		"--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--user=root", "--leasefile-ro", "--log-facility=-",
		"--port=0", "--interface=server", "--bind-interfaces", "--no-ping", "--dhcp-authoritative",
		"--dhcp-range=192.0.2.77,192.0.2.77,255.255.255.0,3600",
	}
	for _, o := range options {
		argv = append(argv, "--dhcp-option-force="+o)
	}
	server := exec.Command("dnsmasq", argv...)
	server.Stderr = os.Stderr
	return server.Start()
}

// What a lease gives is set, and the classless routes in place of the router; and it is
// renewed.
func TestLease(t *testing.T) {
	if _, err := exec.LookPath("dnsmasq"); err != nil {
		t.Skip("the server is dnsmasq: ", err)
	}
	for name, want := range map[string]seen{
		"router":  {Addresses: []string{"eth0 192.0.2.77/25"}, Routes: []string{"0.0.0.0/0 by 192.0.2.1 on eth0"}},
		"routes":  {Addresses: []string{"eth0 192.0.2.77/25"}, Routes: []string{"203.0.113.0/24 by 192.0.2.1 on eth0"}},
		"address": {Addresses: []string{"eth0 192.0.2.77/24"}}, // the mask of its class
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := inside(t, "lease", name)
			got.Addresses = slices.DeleteFunc(got.Addresses, func(a string) bool { return !strings.HasPrefix(a, "eth0 ") })
			if got.Trouble != "" || !slices.Equal(got.Addresses, want.Addresses) || !slices.Equal(got.Routes, want.Routes) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}
