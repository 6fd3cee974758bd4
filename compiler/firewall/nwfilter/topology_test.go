package nwfilter

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/compiler/firewall/space"
	"github.com/sbx-dev/sbx/internal/randompolicy"
	"github.com/sbx-dev/sbx/internal/testhost"
)

// sandbox is what stands behind the filter.
type sandbox interface {
	// enforce gives it a filter by the rules, which fit its interface.
	enforce(t *testing.T, rules firewall.Rules) *Compiled
	send(frame []byte) error // as its own
	received() []uint32
}

// lab is a sandbox behind a real filter, with all that can speak to it: a peer on
// its bridge, the host that the bridge belongs to, and a machine behind the
// host's routing. Peer, sandbox and machine have no addresses of their own, so
// nothing but probes is ever said; frames go in and come out raw.
type lab struct {
	nic          firewall.Interface // the sandbox's
	sandbox      sandbox
	peer, routed *wire
	host         *hostWire
	routerMAC    [3]net.HardwareAddr // the bridge's own, by whom it is spoken to
}

const (
	labBridge   = "labbr0"
	labUplink   = "labbr1"
	maxProbeLen = 2048
)

var (
	labNIC     = randompolicy.NIC("10.0.0.80", "fd00::80")
	hostOwn    = addrs("10.0.0.1", "192.168.9.9", "fd00::1", "2001:db8:9::9")
	routedOwn  = addrs("192.168.3.4", "198.51.100.4", "fd00:3::4", "2001:db8:3::4")
	bridgedOwn = addrs("10.0.0.9", "10.0.0.60", "10.0.0.200", "192.168.3.77", "203.0.113.9", "fd00::9", "fd00::ee", "fd00::1:1", "2001:db8::9")
)

// newLab makes the lab with a sandbox in it, which lets nothing pass.
func newLab(t *testing.T, start func(*testing.T) (sandbox, firewall.Interface)) *lab {
	t.Helper()
	makeBridge(t, labBridge, hostOwn)
	makeBridge(t, labUplink, nil)
	l := &lab{host: newHostWire(t)}
	l.sandbox, l.nic = start(t)
	peer, routed := testhost.NewPeer(t, labBridge), testhost.NewPeer(t, labUplink)
	l.peer, l.routed = peerWire(t, peer), peerWire(t, routed)
	for _, own := range l.nic.Addresses {
		neighbour(t, labBridge, own, l.nic.MAC)
	}
	for _, own := range routedOwn {
		neighbour(t, labUplink, own, l.routed.mac)
	}
	for source, name := range map[space.Source]string{space.Peer: labBridge, space.Host: labBridge, space.Routed: labUplink} {
		l.routerMAC[source] = linkOf(t, name).Attrs().HardwareAddr
	}
	for _, setting := range []string{"ipv4/ip_forward", "ipv6/conf/all/forwarding"} {
		sysctl(t, setting, "1")
	}
	for _, dev := range []string{"all", labBridge, labUplink} {
		sysctl(t, "ipv4/conf/"+dev+"/rp_filter", "0")
	}
	return l
}

func sysctl(t *testing.T, name, value string) {
	t.Helper()
	if err := os.WriteFile("/proc/sys/net/"+name, []byte(value), 0o644); err != nil {
		t.Fatal(err)
	}
}

// setNFCall sets bridge-nf-call for both families, in this network namespace.
func setNFCall(t *testing.T, on bool) {
	t.Helper()
	value := map[bool]string{true: "1", false: "0"}[on]
	sysctl(t, "bridge/bridge-nf-call-iptables", value)
	sysctl(t, "bridge/bridge-nf-call-ip6tables", value)
}

func linkOf(t *testing.T, name string) netlink.Link {
	t.Helper()
	link, err := netlink.LinkByName(name)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return link
}

func makeBridge(t *testing.T, name string, own []netip.Addr) {
	t.Helper()
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	snooping := false
	bridge := &netlink.Bridge{LinkAttrs: attrs, MulticastSnooping: &snooping}
	if err := netlink.LinkAdd(bridge); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { netlink.LinkDel(bridge) })
	// A fixed address: else the bridge takes on those of its ports.
	mac := net.HardwareAddr{2, 0xbb, 0, 0, 0, name[len(name)-1]}
	if err := netlink.LinkSetHardwareAddr(bridge, mac); err != nil {
		t.Fatal(err)
	}
	for _, a := range own {
		addr := &netlink.Addr{IPNet: &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(a.BitLen(), a.BitLen())}, Flags: unix.IFA_F_NODAD}
		if err := netlink.AddrAdd(bridge, addr); err != nil {
			t.Fatal(err)
		}
	}
	if err := netlink.LinkSetUp(bridge); err != nil {
		t.Fatal(err)
	}
}

// neighbour tells the host where an address is, so that nobody has to answer.
func neighbour(t *testing.T, bridge string, a netip.Addr, mac net.HardwareAddr) {
	t.Helper()
	link := linkOf(t, bridge)
	dst := &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(a.BitLen(), a.BitLen())}
	if err := netlink.RouteReplace(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: dst, Scope: netlink.SCOPE_LINK}); err != nil {
		t.Fatal(err)
	}
	entry := &netlink.Neigh{LinkIndex: link.Attrs().Index, IP: a.AsSlice(), HardwareAddr: mac, State: netlink.NUD_PERMANENT}
	if err := netlink.NeighSet(entry); err != nil {
		t.Fatal(err)
	}
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file.xml")
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// wire is one end of an Ethernet cable, raw.
type wire struct {
	fd    int
	index int
	mac   net.HardwareAddr
}

func openWire() (*wire, error) {
	link, err := netlink.LinkByName("eth0")
	if err != nil {
		return nil, err
	}
	const everything = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8 // in network order
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, everything)
	if err != nil {
		return nil, err
	}
	w := &wire{fd, link.Attrs().Index, link.Attrs().HardwareAddr}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<20); err != nil {
		return nil, err
	}
	return w, unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: everything, Ifindex: w.index})
}

func peerWire(t *testing.T, p *testhost.Peer) (w *wire) {
	t.Helper()
	err := p.Do(func() (err error) { w, err = openWire(); return err })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(w.fd) })
	return w
}

// wireIn opens the wire of a namespace, from a thread that ends with it.
func wireIn(t *testing.T, namespace string) (w *wire) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		f, err := os.Open(namespace)
		if err != nil {
			done <- err
			return
		}
		defer f.Close()
		if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- err
			return
		}
		if link, err := netlink.LinkByName("eth0"); err == nil {
			err = netlink.LinkSetUp(link)
			if err != nil {
				done <- err
				return
			}
		}
		w, err = openWire()
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(w.fd) })
	return w
}

func (w *wire) send(frame []byte) error {
	return unix.Sendto(w.fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: w.index, Halen: 6})
}

// received gives the tokens of the probes that have arrived.
func (w *wire) received() (tokens []uint32) {
	buffer := make([]byte, maxProbeLen)
	for {
		n, from, err := unix.Recvfrom(w.fd, buffer, 0)
		if err != nil {
			return tokens
		}
		if link, ok := from.(*unix.SockaddrLinklayer); ok && link.Pkttype == unix.PACKET_OUTGOING {
			continue
		}
		if number, ok := tokenIn(buffer[:n]); ok {
			tokens = append(tokens, number)
		}
	}
}

// hostWire speaks through the host's own IP: what it sends passes its OUTPUT, and
// what it receives has passed its INPUT.
type hostWire struct {
	send4, send6 int
	receive      []int
}

func newHostWire(t *testing.T) *hostWire {
	t.Helper()
	raw := func(family, protocol int) int {
		fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		return fd
	}
	h := &hostWire{send4: raw(unix.AF_INET, unix.IPPROTO_RAW), send6: raw(unix.AF_INET6, unix.IPPROTO_RAW)}
	if err := unix.SetsockoptInt(h.send6, unix.SOL_IPV6, unix.IPV6_HDRINCL, 1); err != nil {
		t.Fatal(err)
	}
	for _, protocol := range []int{space.ProtoTCP, space.ProtoUDP, space.ProtoSCTP, space.ProtoICMP, space.ProtoICMPv6} {
		for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
			fd := raw(family, protocol)
			if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<20); err != nil {
				t.Fatal(err)
			}
			h.receive = append(h.receive, fd)
		}
	}
	return h
}

func (h *hostWire) send(packet []byte, to netip.Addr) error {
	if to.Is6() {
		return unix.Sendto(h.send6, packet, 0, &unix.SockaddrInet6{Addr: to.As16()})
	}
	return unix.Sendto(h.send4, packet, 0, &unix.SockaddrInet4{Addr: to.As4()})
}

func (h *hostWire) received() (tokens []uint32) {
	buffer := make([]byte, maxProbeLen)
	for _, fd := range h.receive {
		for {
			n, _, err := unix.Recvfrom(fd, buffer, 0)
			if err != nil {
				break
			}
			if number, ok := tokenIn(buffer[:n]); ok {
				tokens = append(tokens, number)
			}
		}
	}
	return tokens
}

// setting reads how much of the test is asked for.
func setting(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(fmt.Errorf("%s: %w", name, err))
	}
	return n
}
