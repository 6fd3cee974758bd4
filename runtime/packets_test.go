package runtime_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/testhost"
)

// source is somebody who sends packets to a sandbox.
type source struct {
	name string
	do   func(func() error) error
}

// sources are a peer on the sandbox's bridge, the host itself, and somebody
// whose packets the host forwards.
func sources(t *testing.T, peer *testhost.Peer) []source {
	t.Helper()
	routed := beyondHost(t)
	return []source{
		{"peer", peer.Do},
		{"host", func(f func() error) error { return f() }},
		{"routed", routed.Do},
	}
}

// beyondHost is somebody on another wire of the host, which forwards.
func beyondHost(t *testing.T) *testhost.Peer {
	t.Helper()
	ip(t, "link", "add", "routed0", "type", "bridge")
	t.Cleanup(func() { ip(t, "link", "del", "routed0") })
	ip(t, "addr", "add", "10.85.0.1/24", "dev", "routed0")
	ip(t, "addr", "add", "fd85::1/64", "dev", "routed0", "nodad")
	ip(t, "link", "set", "routed0", "up")
	for _, setting := range []string{"ipv4/ip_forward", "ipv6/conf/all/forwarding"} {
		if err := os.WriteFile("/proc/sys/net/"+setting, []byte("1"), 0); err != nil {
			t.Fatal(err)
		}
	}
	routed := testhost.NewPeer(t, "routed0", "10.85.0.50/24", "fd85::50/64")
	routed.Route(t, "10.84.0.0/24", "10.85.0.1")
	routed.Route(t, "10.91.0.0/24", "10.85.0.1")
	routed.Route(t, "fd84::/64", "fd85::1")
	return routed
}

func ip(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		t.Errorf("ip %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// bridgeOf is the bridge of a libvirt network.
func bridgeOf(t testing.TB, network string) string {
	t.Helper()
	out, err := exec.Command("virsh", "-q", "-c", "lxc:///system", "net-info", network).Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		if bridge, ok := strings.CutPrefix(line, "Bridge:"); ok {
			return strings.TrimSpace(bridge)
		}
	}
	t.Fatalf("network %s has no bridge:\n%s", network, out)
	return ""
}

// The sandbox listens on all of these; its profile lets 80 in.
var ports = []struct {
	network, port string
	open          bool
}{
	{"tcp", "80", true}, {"tcp", "22", false}, {"tcp", "81", false}, {"tcp", "8080", false}, {"udp", "514", false},
}

// testIn sends packets to every port from every source, by IPv4 and IPv6. A
// closed port must be silent, and nothing may have come through: a lost answer
// alone proves nothing of a UDP packet.
func (p *prober) testIn(t *testing.T) {
	var all sync.WaitGroup
	for _, from := range sources(t, p.peer) {
		for _, port := range ports {
			for family, address := range map[string]string{"4": "10.84.0." + p.host, "6": "fd84::" + p.host} {
				all.Go(func() {
					err := from.do(func() error {
						return reach(port.network+family, net.JoinHostPort(address, port.port), patience(port.open))
					})
					if port.open && err != nil {
						t.Errorf("%s by IPv%s: %s %s: %v", from.name, family, port.network, port.port, err)
					}
					if !port.open && !silent(err) {
						t.Errorf("%s by IPv%s: %s %s is not silent: %v", from.name, family, port.network, port.port, err)
					}
				})
			}
		}
	}
	all.Wait()
	if got, _ := p.try(t, "/received"); got != "" {
		t.Errorf("the sandbox received:\n%s", got)
	}
}

// patience is how long an answer may take: one that must come has time on a busy
// machine, too.
func patience(answer bool) time.Duration {
	if answer {
		return time.Minute
	}
	return time.Second
}

// reach connects by TCP; by UDP it sends a packet and waits for the answer.
func reach(network, address string, limit time.Duration) error {
	conn, err := net.DialTimeout(network, address, limit)
	if err != nil || strings.HasPrefix(network, "tcp") {
		if err == nil {
			conn.Close()
		}
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(limit))
	if _, err := conn.Write([]byte("from outside")); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 1500))
	return err
}

// silent says whether nothing at all came back.
func silent(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// testOut lets the sandbox send: to what its profile names, which must answer,
// and to the rest, which must not even receive it.
func (p *prober) testOut(t *testing.T) {
	other := testhost.NewPeer(t, bridgeOf(t, "probe"), "10.84.0.60/24", "fd84::60/64")
	host := source{"host", func(f func() error) error { return f() }}
	got := new(received)
	for _, at := range []struct {
		source
		network, address string
	}{
		{source{"peer", p.peer.Do}, "tcp", ":5432"}, {source{"peer", p.peer.Do}, "tcp", ":5433"},
		{source{"peer", p.peer.Do}, "udp", ":53"}, {source{"peer", p.peer.Do}, "udp", ":54"},
		{source{"other", other.Do}, "tcp", ":5432"}, {source{"other", other.Do}, "udp", ":53"},
		{host, "tcp", ":5432"}, {host, "udp", ":54"},
	} {
		if err := at.do(func() error { return got.listen(t, at.name, at.network, at.address) }); err != nil {
			t.Fatal(err)
		}
	}
	var all sync.WaitGroup
	for _, c := range []struct {
		network, address string
		open             bool
	}{
		{"tcp4", "10.84.0.50:5432", true}, {"tcp6", "[fd84::50]:5432", true}, {"udp4", "10.84.0.50:53", true},
		{"tcp4", "10.84.0.50:5433", false}, {"tcp6", "[fd84::50]:5433", false}, {"udp4", "10.84.0.50:54", false}, {"udp6", "[fd84::50]:53", false},
		{"tcp4", "10.84.0.60:5432", false}, {"tcp6", "[fd84::60]:5432", false}, {"udp4", "10.84.0.60:53", false},
		{"tcp4", "10.84.0.1:5432", false}, {"tcp6", "[fd84::1]:5432", false}, {"udp4", "10.84.0.1:54", false},
		{"udp4", "10.84.0.1:53", false}, {"tcp4", "192.168.122.1:5432", false}, {"tcp4", "8.8.8.8:53", false},
	} {
		all.Go(func() {
			text, ok := p.try(t, query("/dial", "network", c.network, "address", c.address, "limit", patience(c.open).String()))
			if ok != c.open {
				t.Errorf("the sandbox reached for %s %s: %q, want reached = %v", c.network, c.address, text, c.open)
			}
		})
	}
	all.Wait()
	want := "peer tcp :5432\npeer tcp :5432\npeer udp :53"
	if got := got.String(); got != want {
		t.Errorf("what the sandbox sent arrived at:\n%s\nwant:\n%s", got, want)
	}
}

// received notes what arrives at listeners.
type received struct {
	mu    sync.Mutex
	lines []string
}

func (r *received) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(slices.Sorted(slices.Values(r.lines)), "\n")
}

func (r *received) note(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line)
}

func (r *received) listen(t *testing.T, name, network, address string) error {
	line := fmt.Sprintf("%s %s %s", name, network, address)
	if network == "udp" {
		conn, err := net.ListenPacket(network, address)
		if err != nil {
			return err
		}
		t.Cleanup(func() { conn.Close() })
		go func() {
			buf := make([]byte, 1500)
			for {
				n, from, err := conn.ReadFrom(buf)
				if err != nil {
					return
				}
				r.note(line)
				conn.WriteTo(buf[:n], from)
			}
		}()
		return nil
	}
	listener, err := net.Listen(network, address)
	if err != nil {
		return err
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			r.note(line)
			conn.Close()
		}
	}()
	return nil
}

// testSpoof lets the sandbox put frames on the wire that claim to be somebody
// else's; the honest one shows that those would have been seen.
func (p *prober) testSpoof(t *testing.T) {
	own := interfaceMAC(t, p.name)
	frames := listenFrames(t, p.peer)
	for _, f := range []struct{ text, mac, from, to string }{
		{"other-mac", "02:00:00:00:00:01", "10.84.0." + p.host, "10.84.0.50"},
		{"other-address", own, "10.84.0.77", "10.84.0.50"},
		{"both", "02:00:00:00:00:01", "10.84.0.77", "10.84.0.50"},
		{"the-peers-own", p.peer.MAC, "10.84.0.50", "10.84.0.50"},
		{"to-another", own, "10.84.0." + p.host, "10.84.0.99"},
		{"honest", own, "10.84.0." + p.host, "10.84.0.50"},
	} {
		if got, ok := p.try(t, query("/spoof", "mac", f.mac, "from", f.from, "to", f.to, "text", "spoof:"+f.text)); !ok {
			t.Fatalf("%s: the probe could not send: %s", f.text, got)
		}
	}
	seen := frames("spoof:honest")
	if len(seen) != 1 {
		t.Errorf("on the wire were %v, want the honest frame alone", seen)
	}
}

// interfaceMAC is the address of the sandbox's only interface.
func interfaceMAC(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command("virsh", "-q", "-c", "lxc:///system", "domiflist", name).Output()
	if err != nil {
		out, err = exec.Command("virsh", "-q", "-c", "qemu:///system", "domiflist", name).Output()
	}
	fields := strings.Fields(string(out))
	if err != nil || len(fields) != 5 {
		t.Fatalf("domiflist: %v\n%s", err, out)
	}
	return fields[4]
}

// listenFrames takes every frame that reaches the peer. The result waits for the
// frame that holds last and gives all texts of the form spoof:… up to it.
func listenFrames(t *testing.T, peer *testhost.Peer) func(last string) []string {
	t.Helper()
	const everything = unix.ETH_P_ALL>>8 | unix.ETH_P_ALL&0xff<<8 // in network order
	var fd int
	err := peer.Do(func() (err error) {
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, everything)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 5}); err != nil {
		t.Fatal(err)
	}
	return func(last string) (seen []string) {
		buf := make([]byte, 1<<16)
		for {
			n, err := unix.Read(fd, buf)
			if err != nil {
				t.Errorf("waiting for %s: %v", last, err)
				return seen
			}
			_, text, found := strings.Cut(string(buf[:n]), "spoof:")
			if found {
				seen = append(seen, text)
			}
			if "spoof:"+text == last {
				return seen
			}
		}
	}
}
