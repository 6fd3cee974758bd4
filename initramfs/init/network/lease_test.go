package network

import (
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/server4"
	"github.com/vishvananda/netlink"

	"github.com/sbx-dev/sbx/initramfs/manifest"
)

// offers are what servers give besides the address.
var offers = map[string][]dhcpv4.Modifier{
	"router": {
		dhcpv4.WithNetmask(net.CIDRMask(25, 32)),
		dhcpv4.WithRouter(net.IPv4(192, 0, 2, 1)),
	},
	"routes": {
		dhcpv4.WithNetmask(net.CIDRMask(25, 32)),
		dhcpv4.WithRouter(net.IPv4(192, 0, 2, 9)),
		dhcpv4.WithOption(dhcpv4.OptClasslessStaticRoute(&dhcpv4.Route{
			Dest:   &net.IPNet{IP: net.IPv4(203, 0, 113, 0).To4(), Mask: net.CIDRMask(24, 32)},
			Router: net.IPv4(192, 0, 2, 1),
		})),
	},
	"address": nil,
}

// leaseTask gets an address from a server at the other end of a card's cable.
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
	server, err := server4.NewServer("server", nil, serve(offers[os.Args[1]]))
	if err != nil {
		return err
	}
	go server.Serve()
	interfaces := []manifest.Interface{{Name: "none"}, {Name: "eth0", DHCP: true}}
	if err := Lease(interfaces); err != nil {
		return tell(err)
	}
	if got := Leased(interfaces); !slices.Equal(got, []string{"192.0.2.77"}) {
		return tell(&net.AddrError{Err: "leased", Addr: strings.Join(got, " ")})
	}
	return tell(nil)
}

// serve offers 192.0.2.77 to whoever asks.
func serve(offer []dhcpv4.Modifier) server4.Handler {
	return func(conn net.PacketConn, peer net.Addr, m *dhcpv4.DHCPv4) {
		kind := dhcpv4.MessageTypeOffer
		if m.MessageType() == dhcpv4.MessageTypeRequest {
			kind = dhcpv4.MessageTypeAck
		}
		reply, err := dhcpv4.NewReplyFromRequest(m, append([]dhcpv4.Modifier{
			dhcpv4.WithMessageType(kind),
			dhcpv4.WithYourIP(net.IPv4(192, 0, 2, 77)),
			dhcpv4.WithLeaseTime(3600),
			dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.IPv4(192, 0, 2, 1))),
		}, offer...)...)
		if err == nil {
			_, _ = conn.WriteTo(reply.ToBytes(), peer) // the client asks again
		}
	}
}

// What a lease gives is set, and the classless routes in place of the router.
func TestLease(t *testing.T) {
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
