package arrivals

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/observed"
)

// What has arrived before the watch ends is seen, also where nobody has come to read it
// by then: in a network of its own, where nobody else's packets take the room of these.
func TestTheLastPacketsAreSeen(t *testing.T) {
	if unix.Geteuid() != 0 {
		t.Skip("root's: nobody else sees packets")
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: its network ends with the thread
		err := ownNetwork()
		for round := 0; round < 20 && err == nil; round++ {
			if err = lastPackets(); err != nil {
				err = fmt.Errorf("in round %d, %w", round, err)
			}
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// ownNetwork gives this thread a network with nothing but a loopback interface, which is up.
func ownNetwork() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo)
}

// lastPackets sends some while somebody watches, who leaves at once.
func lastPackets() error {
	const ports = 200
	w, err := Watch([]NIC{{Name: "lo", MAC: make(net.HardwareAddr, 6)}})
	if err != nil {
		return err
	}
	from, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return err
	}
	for port := range ports {
		at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 9}), uint16(40000+port))
		if _, err := from.WriteToUDPAddrPort([]byte("x"), at); err != nil && !errors.Is(err, unix.ECONNREFUSED) { // of one before, at which nobody listens
			return err
		}
	}
	from.Close()
	seen := w.Record()
	for port := range ports {
		want := observed.Packet{Proto: "udp", From: netip.AddrFrom4([4]byte{127, 0, 0, 1}), To: netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 9}), uint16(40000+port)), Passed: true}
		if !slices.Contains(seen, want) {
			return fmt.Errorf("the packet to port %d is not among the %d that were seen", 40000+port, len(seen))
		}
	}
	return nil
}
