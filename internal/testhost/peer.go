package testhost

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Peer is another machine on a bridge of the host: a network namespace with
// one interface, eth0, and lo.
type Peer struct {
	MAC  string // of eth0
	Port string // eth0's other end, on the bridge

	namespace *os.File
}

var peers atomic.Int32

// NewPeer attaches a peer with the addresses (with prefix lengths, IPv4 and
// IPv6) to the bridge. It is gone when the test ends.
func NewPeer(t testing.TB, bridge string, addresses ...string) *Peer {
	t.Helper()
	p := new(Peer)
	if err := inNewNamespace(p); err != nil {
		t.Fatalf("peer: %v", err)
	}
	t.Cleanup(func() { p.namespace.Close() })
	if err := p.attach(bridge, addresses); err != nil {
		t.Fatalf("peer on %s: %v", bridge, err)
	}
	// A bridge with spanning tree, as libvirt's default network has, lets a new
	// port wait for some seconds.
	WaitFor(t, "the bridge to forward", time.Minute, func() bool { return forwards(p.Port) })
	return p
}

// inNewNamespace makes the peer's network namespace, which the open file keeps.
func inNewNamespace(p *Peer) error {
	done := make(chan error)
	go func() {
		// The thread is never unlocked, so it ends with the goroutine and no
		// other goroutine ever runs in the namespace by chance.
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			done <- err
			return
		}
		f, err := os.Open("/proc/thread-self/ns/net")
		p.namespace = f
		done <- err
	}()
	return <-done
}

// forwards says whether the bridge passes packets of its port. The numbers are
// the kernel's BR_STATE_….
func forwards(port string) bool {
	state, err := os.ReadFile("/sys/class/net/" + port + "/brport/state")
	return err == nil && strings.TrimSpace(string(state)) == "3"
}

// attach makes the peer's eth0, with its other end in the bridge.
func (p *Peer) attach(bridge string, addresses []string) error {
	br, err := netlink.LinkByName(bridge)
	if err != nil {
		return err
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = fmt.Sprintf("tpeer%d", peers.Add(1))
	attrs.MasterIndex = br.Attrs().Index
	veth := netlink.NewVeth(attrs)
	veth.PeerName = "eth0"
	veth.PeerNamespace = netlink.NsFd(p.namespace.Fd())
	if err := netlink.LinkAdd(veth); err != nil {
		return err
	}
	p.Port = attrs.Name
	if err := netlink.LinkSetUp(veth); err != nil {
		return err
	}
	return p.Do(func() error { return p.configure(addresses) })
}

func (p *Peer) configure(addresses []string) error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	eth0, err := netlink.LinkByName("eth0")
	if err != nil {
		return err
	}
	p.MAC = eth0.Attrs().HardwareAddr.String()
	for _, text := range addresses {
		addr, err := netlink.ParseAddr(text)
		if err != nil {
			return err
		}
		if prefix, err := netip.ParsePrefix(text); err == nil && prefix.Addr().Is6() {
			addr.Flags = unix.IFA_F_NODAD // usable at once
		}
		if err := netlink.AddrAdd(eth0, addr); err != nil {
			return fmt.Errorf("address %s: %w", text, err)
		}
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return err
	}
	return netlink.LinkSetUp(eth0)
}

// Route sends what the peer addresses to the destination (a prefix) by way of
// the gateway.
func (p *Peer) Route(t testing.TB, destination, gateway string) {
	t.Helper()
	err := p.Do(func() error {
		dst, err := netlink.ParseIPNet(destination)
		if err != nil {
			return err
		}
		via, err := netip.ParseAddr(gateway)
		if err != nil {
			return err
		}
		return netlink.RouteAdd(&netlink.Route{Dst: dst, Gw: via.AsSlice()})
	})
	if err != nil {
		t.Fatalf("route to %s by way of %s: %v", destination, gateway, err)
	}
}

// Do runs f with the peer's network. Sockets that f opens itself are the
// peer's, for as long as they are open; goroutines that f starts are not.
func (p *Peer) Do(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // see inNewNamespace
		if err := unix.Setns(int(p.namespace.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- err
			return
		}
		done <- f()
	}()
	return <-done
}

// Start starts cmd with the peer's network.
func (p *Peer) Start(cmd *exec.Cmd) error { return p.Do(cmd.Start) }

// Output runs argv with the peer's network and gives what it printed on both
// streams.
func (p *Peer) Output(argv ...string) (out []byte, err error) {
	err = p.Do(func() error {
		out, err = exec.Command(argv[0], argv[1:]...).CombinedOutput()
		return err
	})
	return out, err
}

// WaitFor polls until ok holds, and fails the test after the limit.
func WaitFor(t testing.TB, what string, limit time.Duration, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v in vain for %s", limit, what)
		}
	}
}
