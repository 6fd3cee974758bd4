package arrivals

import (
	"net"
	"net/netip"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/observed"
)

// What has arrived before the watch ends is seen, also where nobody has come to read it
// by then.
func TestTheLastPacketsAreSeen(t *testing.T) {
	if unix.Geteuid() != 0 {
		t.Skip("root's: nobody else sees packets")
	}
	const ports = 200
	for round := range 20 {
		w, err := Watch([]NIC{{Name: "lo", MAC: make(net.HardwareAddr, 6)}})
		if err != nil {
			t.Fatal(err)
		}
		from, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		for port := range ports {
			at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 9}), uint16(40000+port))
			if _, err := from.WriteToUDPAddrPort([]byte("x"), at); err != nil {
				t.Fatal(err)
			}
		}
		from.Close()
		seen := w.Record()
		for port := range ports {
			want := observed.Packet{Proto: "udp", From: netip.AddrFrom4([4]byte{127, 0, 0, 1}), To: netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 9}), uint16(40000+port)), Passed: true}
			if !slices.Contains(seen, want) {
				t.Fatalf("in round %d, the packet to port %d is not among the %d that were seen", round, 40000+port, len(seen))
			}
		}
	}
}
