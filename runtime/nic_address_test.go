package runtime_test

import (
	"encoding/hex"
	"net"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/sbx-dev/sbx/compiler/firewall/space"
	"github.com/sbx-dev/sbx/internal/testhost"
)

// TestContainerIsReachedWhereUdevNamesItsCard starts containers on a host that, as
// systemd-udevd does, gives each new interface a hardware address of its own.
func TestContainerIsReachedWhereUdevNamesItsNIC(t *testing.T) {
	testhost.Need(t)
	r := newRuntime(t)
	meddled := meddle(t)
	p := newProber(t, r, "lxc", "renamed", "62")
	if meddled() == 0 {
		t.Fatal("no interface was seen while it was the host's")
	}
	peer := testhost.NewPeer(t, bridgeOf(t, "probe"), "10.84.0.63/24", "fd84::63/64")
	for _, address := range []string{"10.84.0.62:80", "[fd84::62]:80"} {
		if err := peer.Do(func() error { return reach("tcp", address, patience(true)) }); err != nil {
			t.Fatalf("%s: %v", address, err)
		}
	}
	p.attach(peer)
	mac, err := net.ParseMAC(interfaceMAC(t, p.name))
	if err != nil {
		t.Fatal(err)
	}
	want := hex.EncodeToString(space.LinkLocal(mac).AsSlice())
	own, ok := p.try(t, query("/read", "path", "/proc/net/if_inet6"))
	if !ok || strings.Count(own, "fe80") != 1 || !strings.Contains(own, want) {
		t.Errorf("the link-local address is not %s alone:\n%s", want, own)
	}
}

// meddle gives each new interface that has no name of ours another address, until it is
// no longer this host's. The result ends that and says for how many interfaces it was.
func meddle(t *testing.T) (end func() int) {
	t.Helper()
	links, done := make(chan netlink.LinkUpdate), make(chan struct{})
	if err := netlink.LinkSubscribe(links, done); err != nil {
		t.Fatal(err)
	}
	nics := make(chan int)
	go func() {
		seen := map[int]bool{}
		for update := range links {
			link := update.Link
			if link.Type() != "veth" || strings.HasPrefix(link.Attrs().Name, "sbx") || seen[link.Attrs().Index] {
				continue
			}
			seen[link.Attrs().Index] = true
			go func() {
				for err := error(nil); err == nil; {
					err = netlink.LinkSetHardwareAddr(link, net.HardwareAddr{0x06, 1, 2, 3, 4, 5})
				}
			}()
		}
		nics <- len(seen)
	}()
	return func() int { close(done); return <-nics }
}
