//go:build otherhost

package innerwall

import (
	"encoding/binary"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	compiled "github.com/sbx-dev/sbx/compiler/firewall/nftables"
	"github.com/sbx-dev/sbx/internal/testhost"
)

// These tests load tables into a kernel that can hold them, which that of the machine
// that tests run on may not: package runtime's TestInnerWalls runs them in a virtual
// machine.

// wall is a small one: UDP may come in on the ports, from anywhere.
func wall(device string, ports ...uint16) *compiled.Table {
	three := []compiled.Type{compiled.IPv4Type, compiled.PortType, compiled.ProtocolType}
	open := compiled.Set{Name: "ports_in4", Types: three}
	for _, p := range ports {
		port := binary.BigEndian.AppendUint16(nil, p)
		open.Elements = append(open.Elements, compiled.Element{Key: []compiled.Interval{
			{Low: make([]byte, 4), High: []byte{255, 255, 255, 255}}, {Low: port, High: port}, {Low: []byte{17}, High: []byte{17}},
		}})
	}
	is := func(f compiled.Field, value ...byte) compiled.Match {
		return compiled.Match{Fields: []compiled.Field{f}, Value: value}
	}
	leads := func(to string, m ...compiled.Match) compiled.Rule {
		return compiled.Rule{Match: m, Verdict: compiled.Goto, Chain: to}
	}
	accepted := func(m ...compiled.Match) compiled.Rule { return compiled.Rule{Match: m, Verdict: compiled.Accept} }
	states := func(s ...compiled.State) compiled.Match {
		return compiled.Match{Fields: []compiled.Field{compiled.CTState}, States: s}
	}
	return &compiled.Table{Name: "sbx-" + device, Device: device,
		Sets: []compiled.Set{
			open,
			{Name: "any_in6", Types: []compiled.Type{compiled.IPv6Type, compiled.ProtocolType}},
			{Name: "ask_in6", Types: []compiled.Type{compiled.IPv6Type, compiled.ICMPv6Type, compiled.ICMPv6Code}},
		},
		Chains: []compiled.Chain{
			{Name: "prerouting", Hook: compiled.Prerouting, Rules: []compiled.Rule{leads("out", is(compiled.InDevice, []byte(device)...))}},
			{Name: "postrouting", Hook: compiled.Postrouting, Rules: []compiled.Rule{leads("in", is(compiled.OutDevice, []byte(device)...))}},
			{Name: "out", Rules: []compiled.Rule{accepted(is(compiled.EtherType, 8, 6)), leads("refused_out")}},
			{Name: "in", Rules: []compiled.Rule{accepted(is(compiled.EtherType, 8, 6)), leads("in_ip4", is(compiled.EtherType, 8, 0)), leads("in_ip6", is(compiled.EtherType, 0x86, 0xdd)), leads("refused_in")}},
			{Name: "in_ip4", Rules: []compiled.Rule{
				accepted(states(compiled.New, compiled.Established), is(compiled.CTDirection, compiled.Original),
					compiled.Match{Fields: []compiled.Field{compiled.Source4, compiled.TargetPort, compiled.Protocol}, Set: "ports_in4"}),
				leads("refused_in"),
			}},
			{Name: "in_ip6", Rules: []compiled.Rule{
				accepted(states(compiled.Related), compiled.Match{Fields: []compiled.Field{compiled.Source6, compiled.Type6, compiled.Code6}, Set: "ask_in6"}),
				accepted(compiled.Match{Fields: []compiled.Field{compiled.Source6, compiled.Protocol}, Set: "any_in6"}),
				leads("refused_in"),
			}},
			{Name: "refused_out", Rules: []compiled.Rule{{Log: true, Verdict: compiled.Drop}}},
			{Name: "refused_in", Rules: []compiled.Rule{{Log: true, Verdict: compiled.Drop}}},
		},
	}
}

// mustLoad loads a table, and finds that the kernel has it as it was written.
func mustLoad(t *testing.T, table *compiled.Table) {
	t.Helper()
	if err := Load(table); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := Remove(table.Name); err != nil {
			t.Error(err)
		}
	})
	want, err := Wanted(table)
	if err != nil {
		t.Fatal(err)
	}
	if have, err := Print(table.Name); err != nil || have != want {
		t.Fatalf("%s is loaded, and reads as\n%s, want\n%s: %v", table.Name, have, want, err)
	}
}

func TestAble(t *testing.T) {
	if err := Able(); err != nil {
		t.Error(err)
	}
	if left, err := exec.Command("nft", "list", "tables").CombinedOutput(); err != nil || strings.Contains(string(left), "probe") {
		t.Errorf("it leaves %s: %v", left, err)
	}
}

// Whatever others do to a table shows, and loading it anew mends it.
func TestOthersChangesShow(t *testing.T) {
	table := wall("sbxchange", 53, 80)
	mustLoad(t, table)
	good, err := Print(table.Name)
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range []string{
		"flush ruleset",
		"delete table bridge sbx-sbxchange",
		"flush table bridge sbx-sbxchange",
		"flush chain bridge sbx-sbxchange refused_in",
		"insert rule bridge sbx-sbxchange in accept",
		"insert rule bridge sbx-sbxchange in counter",
		"add element bridge sbx-sbxchange ports_in4 { 10.0.0.0/8 . 22 . udp }",
		"delete element bridge sbx-sbxchange ports_in4 { 0.0.0.0/0 . 53 . udp }",
		"add chain bridge sbx-sbxchange other { type filter hook input priority -1; policy drop; }",
		"add set bridge sbx-sbxchange other { type ether_addr; }",
		"add table bridge sbx-sbxchange { flags dormant; }",
		"add rule bridge sbx-sbxchange in ether saddr { 02:00:00:00:00:01, 02:00:00:00:00:02 } accept",
		"insert rule bridge sbx-sbxchange in meta hour \"10:00\"-\"11:00\" ether type vmap { ip : accept } numgen random mod 3 0",
	} {
		if out, err := exec.Command("nft", change).CombinedOutput(); err != nil {
			t.Errorf("nft %s: %v: %s", change, err, out)
			continue
		}
		if have, err := Print(table.Name); err != nil || have == good {
			t.Errorf("nft %s: it reads as before: %v", change, err)
		}
		if err := Load(table); err != nil {
			t.Errorf("after nft %s: %v", change, err)
		}
		if have, err := Print(table.Name); err != nil || have != good {
			t.Errorf("after nft %s and a load: %s, want %s: %v", change, have, good, err)
		}
	}
}

// A table of as many elements as a compiled one may have is taken in one transaction, and
// read as it is; so is one of which a few go, and one of which nearly all do.
func TestLargeTable(t *testing.T) {
	if err := Able(); err != nil {
		t.Fatal(err)
	}
	ports := make([]uint16, compiled.MaxElements)
	for n := range ports {
		ports[n] = uint16(1000 + 2*n)
	}
	for _, n := range []int{len(ports), len(ports) - 2, 10} {
		begin := time.Now()
		mustLoad(t, wall("sbxlarge", ports[:n]...))
		t.Logf("%d elements: %v", n, time.Since(begin))
	}
}

func TestRemove(t *testing.T) {
	table := wall("sbxgone", 53)
	mustLoad(t, table)
	for range 2 { // also when it is gone already
		if err := Remove(table.Name); err != nil {
			t.Fatal(err)
		}
		if have, err := Print(table.Name); err != nil || have != "absent" {
			t.Fatalf("removed, and reads as %s: %v", have, err)
		}
	}
}

// stream sends packets to a sandbox's port until it is told to stop, and counts those
// that were sent and those that have arrived.
type stream struct {
	sent, arrived atomic.Int64
	paused        atomic.Bool
}

// lost is how many were sent and have not arrived once all is still.
func (s *stream) lost() int64 {
	s.paused.Store(true)
	defer s.paused.Store(false)
	for before, still := int64(-1), 0; still < 5; time.Sleep(200 * time.Millisecond) {
		if now := s.arrived.Load() + s.sent.Load(); now == before {
			still++
		} else {
			before, still = now, 0
		}
	}
	return s.sent.Load() - s.arrived.Load()
}

func (s *stream) run(t *testing.T, sandbox *testhost.Peer, address string, stop <-chan struct{}) (ended <-chan struct{}) {
	t.Helper()
	var in net.PacketConn
	if err := sandbox.Do(func() (err error) { in, err = net.ListenPacket("udp", address); return err }); err != nil {
		t.Fatal(err)
	}
	makeRoom(t, in.(*net.UDPConn))
	out, err := net.Dial("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	received := make(chan struct{})
	go func() {
		defer close(received)
		for buf := make([]byte, 64); ; s.arrived.Add(1) {
			if _, _, err := in.ReadFrom(buf); err != nil {
				return
			}
		}
	}()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				out.Close()
				time.Sleep(2 * time.Second) // what is on its way arrives
				in.Close()
				<-received
				return
			case <-time.After(time.Millisecond):
				if s.paused.Load() {
					continue
				}
				if _, err := out.Write([]byte("packet")); err == nil {
					s.sent.Add(1)
				}
			}
		}
	}()
	return done
}

// makeRoom has a socket keep what comes while nobody reads, on a busy machine.
func makeRoom(t *testing.T, conn *net.UDPConn) {
	t.Helper()
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20) })
	if err != nil {
		t.Fatal(err)
	}
}

// While rules change, a stream that they allow loses no packet, and of one that they
// do not allow none arrives; not even while the whole table is replaced.
func TestNoGapAndNoOpening(t *testing.T) {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "wallbr0"
	bridge := &netlink.Bridge{LinkAttrs: attrs}
	if err := netlink.LinkAdd(bridge); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { netlink.LinkDel(bridge) })
	own, err := netlink.ParseAddr("10.91.0.1/24")
	if err == nil {
		err = netlink.AddrAdd(bridge, own)
	}
	if err == nil {
		err = netlink.LinkSetUp(bridge)
	}
	if err != nil {
		t.Fatal(err)
	}
	sandbox := testhost.NewPeer(t, attrs.Name, "10.91.0.2/24")
	ports := []uint16{53}
	for n := range uint16(500) {
		ports = append(ports, 2000+2*n)
	}
	mustLoad(t, wall(sandbox.Port, ports...))
	var allowed, denied stream
	stop := make(chan struct{})
	ends := []<-chan struct{}{allowed.run(t, sandbox, "10.91.0.2:53", stop), denied.run(t, sandbox, "10.91.0.2:54", stop)}
	testhost.WaitFor(t, "the allowed stream to arrive", time.Minute, func() bool { return allowed.arrived.Load() > 100 })
	lossless := false
	for round := 0; round < 5 && !lossless; round++ { // a busy machine may lose some on its own
		before, begin := allowed.lost(), time.Now()
		const changes = 8
		for n := range changes {
			if err := Load(wall(sandbox.Port, append(ports[:500:500], 9000+uint16(n%2))...)); err != nil {
				t.Fatal(err)
			}
		}
		took := time.Since(begin)
		lost := allowed.lost() - before
		lossless = lost == 0
		t.Logf("one of 500 elements changed %d times, %v each: %d of %d packets lost", changes, took/changes, lost, allowed.sent.Load())
	}
	if !lossless {
		t.Error("packets are lost whenever elements change")
	}
	for range 10 {
		other := wall(sandbox.Port, ports...)
		other.Chains[2].Rules = other.Chains[2].Rules[1:] // another form
		for _, table := range []*compiled.Table{other, wall(sandbox.Port, ports...)} {
			if err := Load(table); err != nil {
				t.Fatal(err)
			}
		}
	}
	close(stop)
	for _, end := range ends {
		<-end
	}
	if n := denied.arrived.Load(); n > 0 || denied.sent.Load() == 0 {
		t.Errorf("%d of %d packets arrived that no rule allows", n, denied.sent.Load())
	}
	counts, err := dropped("sbx-" + sandbox.Port)
	if err != nil || counts["refused_in"] == 0 {
		t.Errorf("it has dropped %v: %v", counts, err)
	}
	t.Logf("allowed %d of %d, denied %d of %d", allowed.arrived.Load(), allowed.sent.Load(), denied.arrived.Load(), denied.sent.Load())
}

// dropped is how many packets a wall has dropped, by the chain that did it.
func dropped(name string) (map[string]uint64, error) {
	conn, err := connect()
	if err != nil {
		return nil, err
	}
	defer conn.CloseLasting()
	chains, err := readChains(conn, &nftables.Table{Name: name, Family: nftables.TableFamilyBridge})
	if err != nil {
		return nil, fmt.Errorf("the inner wall %s: %w", name, err)
	}
	counts := map[string]uint64{}
	for _, c := range chains {
		for _, rule := range c.rules {
			for _, e := range rule {
				if counter, ok := e.(*expr.Counter); ok {
					counts[c.name] += counter.Packets
				}
			}
		}
	}
	return counts, nil
}
