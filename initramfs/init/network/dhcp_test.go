package network

import (
	"net"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// answer is what a server says, as bytes.
func answer(address string, options ...dhcpv4.Modifier) []byte {
	ack, err := dhcpv4.New(append(options, dhcpv4.WithYourIP(net.ParseIP(address)), dhcpv4.WithMessageType(dhcpv4.MessageTypeAck))...)
	if err != nil {
		panic(err)
	}
	return ack.ToBytes()
}

// A mask with gaps would end the first process: netlink makes a broadcast address of it
// without looking.
func TestLeasedAddress(t *testing.T) {
	option := func(code dhcpv4.OptionCode, value ...byte) dhcpv4.Modifier {
		return dhcpv4.WithOption(dhcpv4.OptGeneric(code, value))
	}
	for _, c := range []struct {
		answer []byte
		want   string
	}{
		{answer("10.1.2.3", option(dhcpv4.OptionSubnetMask, 255, 255, 255, 0)), "10.1.2.3/24"},
		{answer("10.1.2.3", option(dhcpv4.OptionSubnetMask, 255, 255, 255, 255)), "10.1.2.3/32"},
		{answer("10.1.2.3"), "10.1.2.3/8"},
		{answer("224.0.0.1", option(dhcpv4.OptionSubnetMask, 255, 255, 255, 0)), ""},
		{answer("0.0.0.0", option(dhcpv4.OptionSubnetMask, 255, 255, 255, 0)), ""},
		{answer("127.0.0.1", option(dhcpv4.OptionSubnetMask, 255, 0, 0, 0)), ""},
		{answer("10.1.2.3", option(dhcpv4.OptionSubnetMask, 255, 0, 255, 0)), ""},
		{answer("10.1.2.3", option(dhcpv4.OptionSubnetMask, 0, 0, 0, 0)), ""},
	} {
		ack, err := dhcpv4.FromBytes(c.answer)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if a, err := leasedAddress(ack); err == nil {
			got = a.String()
		}
		if got != c.want {
			t.Errorf("%v: %q, want %q", ack, got, c.want)
		}
	}
}

// FuzzLease takes any answer of a server at all: what comes of it is an address of a
// host that the kernel can be given, and routes, or an error.
func FuzzLease(f *testing.F) {
	f.Add(answer("10.1.2.3", dhcpv4.WithNetmask(net.CIDRMask(24, 32)), dhcpv4.WithRouter(net.IPv4(10, 1, 2, 1)), dhcpv4.WithLeaseTime(600)))
	f.Add(answer("224.0.0.1"))
	f.Add(answer("10.1.2.3", dhcpv4.WithOption(dhcpv4.OptClasslessStaticRoute(&dhcpv4.Route{
		Dest: &net.IPNet{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)}, Router: net.IPv4(10, 1, 2, 1).To4(),
	}))))
	f.Fuzz(func(t *testing.T, data []byte) {
		ack, err := dhcpv4.FromBytes(data)
		if err != nil {
			return
		}
		if a, err := leasedAddress(ack); err == nil {
			if ones, bits := a.Mask.Size(); len(a.IP) != net.IPv4len || ones == 0 || bits != 32 {
				t.Errorf("%v gives %v", ack, a)
			}
		}
		for _, r := range routes(ack) {
			if r.Dst != nil && len(r.Dst.IP) != net.IPv4len {
				t.Errorf("%v gives the route %v", ack, r)
			}
		}
		_ = ack.IPAddressLeaseTime(0)
	})
}
