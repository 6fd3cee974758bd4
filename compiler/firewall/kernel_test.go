package firewall

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/internal/testhost"
)

// probe is a packet that is sent and looked out for.
type probe struct {
	Packet
	about  []byte // what an ICMP error complains of
	number uint32
	chance *probe // the probe that this one belongs to
}

// TestModelAgreesWithTheKernel applies random policies to a container through
// libvirt and compares what arrives with what the model says, packet by packet,
// with bridge-nf-call on and off. SBX_KERNEL_POLICIES, SBX_KERNEL_MACHINE_POLICIES
// and SBX_KERNEL_PROBES say how much of it; make test-firewall runs all of it.
func TestModelAgreesWithTheKernel(t *testing.T) {
	testhost.Need(t)
	differential(t, startContainer, setting(t, "SBX_KERNEL_POLICIES", 6))
}

// TestModelAgreesWithTheKernelForMachines does the same with the port of a
// machine. No system runs in it: the frames enter and leave where QEMU hands
// them to the port and takes them from it.
func TestModelAgreesWithTheKernelForMachines(t *testing.T) {
	testhost.Need(t)
	differential(t, startMachine, setting(t, "SBX_KERNEL_MACHINE_POLICIES", 2))
}

func differential(t *testing.T, start func(*testing.T) sandboxEnd, policies int) {
	t.Helper()
	probes := setting(t, "SBX_KERNEL_PROBES", 200)
	r := rand.New(rand.NewPCG(uint64(setting(t, "SBX_KERNEL_SEED", 17)), 18))
	defineFilter(t, randomFor(t, r, labCard))
	l := newLab(t, start)
	d := &differ{lab: l, random: r, seen: map[string]int{}}
	for n := range policies {
		d.compiled = randomFor(t, r, labCard)
		d.model = d.compiled.Model
		defineFilter(t, d.compiled)
		for _, nfCall := range []bool{true, false} {
			setNFCall(t, nfCall)
			d.nfCall = nfCall
			d.run(t, probes)
		}
		if t.Failed() {
			t.Fatalf("policy %d:\n%s", n, d.compiled.XML)
		}
	}
	t.Logf("%d policies, %d probes: %v", policies, d.sent, d.seen)
	for _, what := range []string{"accept peer", "accept host", "accept routed", "drop peer", "drop host", "drop routed", "accept residual"} {
		if d.seen[what] == 0 {
			t.Errorf("no probe was of the kind %q", what)
		}
	}
}

func randomFor(t *testing.T, r *rand.Rand, i Interface) *Compiled {
	t.Helper()
	for {
		rules := randomRules(r)
		for n := range rules.Allow {
			rules.Allow[n].Connections = 0 // not a matter of single packets
		}
		if c, err := Compile(i, rules); err == nil && len(rules.Allow) > 0 {
			return c
		}
	}
}

func defineFilter(t *testing.T, c *Compiled) {
	t.Helper()
	virsh(t, "nwfilter-define", writeFile(t, string(c.XML)))
}

type differ struct {
	*lab
	compiled *Compiled
	model    *Filter
	nfCall   bool
	random   *rand.Rand
	number   uint32 // of the last probe, and its unique port
	sent     int
	seen     map[string]int
}

// run sends the probes in rounds: packets that open conversations, then answers
// to those that arrived and errors about them, then packets that go on.
func (d *differ) run(t *testing.T, probes int) {
	t.Helper()
	var opening []*probe
	for range probes {
		opening = append(opening, d.draw())
	}
	arrived := d.round(t, opening)
	var answers, errors []*probe
	for _, p := range arrived {
		if p.EtherType == etherARP || p.EtherType == etherVLAN {
			continue
		}
		a := d.answer(p)
		if a == nil {
			continue
		}
		answers = append(answers, a)
		if p.Protocol == ipUDP && d.random.IntN(3) == 0 {
			errors = append(errors, d.complaint(p))
		}
	}
	d.round(t, errors)
	var more []*probe
	for _, a := range d.round(t, answers) {
		if a.Protocol == ipUDP {
			again := *a.chance
			again.State, again.number = Original, d.next()
			more = append(more, &again)
		}
	}
	d.round(t, more)
}

// next gives a number that no probe has had in the last minutes.
func (d *differ) next() uint32 {
	d.number++
	return d.number
}

// round sends the probes and gives those that arrived.
func (d *differ) round(t *testing.T, probes []*probe) (arrived []*probe) {
	t.Helper()
	got := d.transmit(t, probes)
	for _, p := range probes {
		want := d.model.Eval(p.Packet, d.nfCall)
		if got[p.arrival()] != want.Accept && want.Accept {
			// A loaded machine may be slow, but not lose: look once more.
			time.Sleep(time.Second)
			for at := range d.collect() {
				got[at] = true
			}
		}
		if got[p.arrival()] != want.Accept {
			t.Errorf("bridge-nf-call %t, %s: %s (from %s): arrived %t, the model says %+v", d.nfCall, p.Source, p.Packet, p.SrcMAC, got[p.arrival()], want)
		}
		d.count(p, want.Accept)
		if got[p.arrival()] {
			arrived = append(arrived, p)
		}
	}
	return arrived
}

func (d *differ) count(p *probe, accept bool) {
	d.sent++
	word := map[bool]string{true: "accept ", false: "drop "}[accept]
	d.seen[word+p.Source.String()]++
	if accept && !d.compiled.Policy.Eval(p.Packet).Accept {
		d.seen["accept residual"]++
	}
}

func (d *differ) transmit(t *testing.T, probes []*probe) map[arrival]bool {
	t.Helper()
	for _, p := range probes {
		if err := d.send(p); err != nil {
			t.Fatalf("%s: %v", p.Packet, err)
		}
	}
	got := map[arrival]bool{}
	for quiet := 0; quiet < 3 && len(probes) > 0; quiet++ {
		time.Sleep(15 * time.Millisecond)
		for at := range d.collect() {
			got[at], quiet = true, 0
		}
	}
	return got
}

func (d *differ) send(p *probe) error {
	switch {
	case !p.In:
		return d.sandbox.send(ethernet(p.Packet, p.number, p.about))
	case p.Source == Host:
		return d.host.send(ipPacket(p.Packet, p.number, p.about), p.Dst)
	case p.Source == Routed:
		return d.routed.send(ethernet(p.Packet, p.number, p.about))
	}
	return d.peer.send(ethernet(p.Packet, p.number, p.about))
}

// arrival is a probe at an end. A bridge floods what it knows no port for, and
// the host answers of itself with what it was sent, so a probe may be seen where
// it was not for.
type arrival struct {
	in     bool   // at the sandbox
	end    Source // else
	number uint32
}

// arrival is the probe where it is for.
func (p *probe) arrival() arrival {
	if p.In {
		return arrival{in: true, number: p.number}
	}
	return arrival{end: p.Source, number: p.number}
}

// collect gives what has arrived at all ends.
func (d *differ) collect() map[arrival]bool {
	out := map[arrival]bool{}
	for _, n := range d.sandbox.received() {
		out[arrival{in: true, number: n}] = true
	}
	for end, tokens := range map[Source][]uint32{Peer: d.peer.received(), Routed: d.routed.received(), Host: d.host.received()} {
		for _, n := range tokens {
			out[arrival{end: end, number: n}] = true
		}
	}
	return out
}

func pick[T any](r *rand.Rand, of []T) T { return of[r.IntN(len(of))] }

// draw makes a packet that belongs to no conversation yet. One of its ports is
// its own; the other is one that rules speak of.
func (d *differ) draw() *probe {
	r := d.random
	p := &probe{number: d.next(), Packet: Packet{In: r.IntN(2) == 0, Source: Source(r.IntN(3)), EtherType: etherIPv4}}
	v6 := r.IntN(2) == 0
	if v6 {
		p.EtherType = etherIPv6
	}
	remote, own := d.remote(p.Source, v6), labCard.Addresses[0]
	if v6 {
		own = labCard.Addresses[1]
	}
	if !p.In && r.IntN(8) == 0 { // under another's address
		own = map[bool]netip.Addr{false: netip.MustParseAddr("10.0.0.81"), true: netip.MustParseAddr("fd00::81")}[v6]
	}
	d.address(p, own, remote)
	if !p.In && r.IntN(8) == 0 {
		p.SrcMAC = net.HardwareAddr{2, 0, 0, 0, 0, 0x99}
	}
	p.Protocol = []uint8{ipTCP, ipTCP, ipUDP, ipUDP, ipSCTP, icmpOf(kindOf(p.EtherType))}[r.IntN(6)]
	unique, known := uint16(1024+d.number%60000), d.port(p.Protocol)
	p.SrcPort, p.DstPort = unique, known
	if r.IntN(4) == 0 {
		p.SrcPort, p.DstPort = known, unique
	}
	if p.Protocol == icmpOf(kindOf(p.EtherType)) {
		d.drawICMP(p, unique)
	}
	if p.Source == Peer && r.IntN(15) == 0 {
		d.drawFrame(p, own, remote)
	}
	return p
}

func (d *differ) remote(from Source, v6 bool) netip.Addr {
	pool := [][]netip.Addr{bridgedOwn, hostOwn, routedOwn}[from]
	for {
		if a := pick(d.random, pool); a.Is6() == v6 {
			return a
		}
	}
}

// address fills in who speaks to whom.
func (d *differ) address(p *probe, own, remote netip.Addr) {
	theirs := d.peer.mac
	if p.Source != Peer {
		theirs = d.routerMAC[Host]
	}
	if !p.In {
		p.Src, p.Dst, p.SrcMAC, p.DstMAC = own, remote, labCard.MAC, theirs
		return
	}
	p.Src, p.Dst, p.SrcMAC, p.DstMAC = remote, own, theirs, labCard.MAC
	if p.Source == Routed { // the frame that the router is given
		p.SrcMAC, p.DstMAC = d.routed.mac, d.routerMAC[Routed]
	}
}

// port is one at the border of what a rule speaks of.
func (d *differ) port(protocol uint8) uint16 {
	rules := d.compiled.Policy.rules
	for range 20 {
		s := pick(d.random, pick(d.random, rules).Services)
		if s.Proto == ICMP || s.Proto == Other {
			continue
		}
		port := []uint16{s.Low, s.High, s.Low - 1, s.High + 1}[d.random.IntN(4)]
		if port != 0 {
			return port
		}
	}
	return 80
}

// drawICMP makes it a message and says how the kernel will see it: requests are
// new, answers and errors that belong to nothing invalid, and neighbour discovery
// is not tracked.
func (d *differ) drawICMP(p *probe, identifier uint16) {
	p.SrcPort, p.DstPort = identifier, 0
	p.Type, p.State = pick(d.random, []uint8{8, 8, 13, 0, 5}), Invalid
	if p.EtherType == etherIPv6 {
		p.Type = pick(d.random, []uint8{128, 128, 129, 135, 136, 134, 137})
	}
	switch p.Type {
	case 8, 13, 128:
		p.State = New
	case 135, 136, 134, 137:
		p.State = Untracked
	}
}

// drawFrame makes it a frame that is no IP.
func (d *differ) drawFrame(p *probe, own, remote netip.Addr) {
	p.Protocol, p.SrcPort, p.DstPort, p.Type, p.State = 1, 0, 0, 0, New
	if p.EtherType == etherIPv6 {
		p.EtherType = etherVLAN
		return
	}
	p.EtherType = etherARP
	p.ARPSource, p.ARPTarget = p.SrcMAC, net.HardwareAddr{0, 0, 0, 0, 0, 0}
	if d.random.IntN(4) == 0 {
		p.ARPSource = net.HardwareAddr{2, 0, 0, 0, 0, 0x99}
	}
}

// answer is the packet that replies to one that arrived; nil where there is no
// such thing.
func (d *differ) answer(p *probe) *probe {
	a := &probe{number: d.next(), chance: p, Packet: p.Packet}
	a.In, a.State, a.SrcPort, a.DstPort = !p.In, Reply, p.DstPort, p.SrcPort
	own, remote := p.Dst, p.Src
	if !p.In {
		own, remote = remote, own
	}
	if !slices.Contains(labCard.Addresses, own) {
		return nil // nobody can route an answer to a borrowed address
	}
	d.address(a, own, remote)
	if p.Protocol != icmpOf(kindOf(p.EtherType)) {
		return a
	}
	a.SrcPort, a.DstPort = p.SrcPort, 0
	switch p.Type {
	case 8:
		a.Type = 0
	case 13:
		a.Type = 14
	case 128:
		a.Type = 129
	default:
		return nil
	}
	return a
}

// complaint is an ICMP error about a packet that arrived, from whom it was for.
func (d *differ) complaint(p *probe) *probe {
	c := d.answer(p)
	c.about = ipPacket(p.Packet, p.number, nil)
	c.about = c.about[:len(c.about)-8] // without its token
	c.Protocol, c.Type, c.Code, c.State = icmpOf(kindOf(p.EtherType)), 3, 3, Related
	if p.EtherType == etherIPv6 {
		c.Type, c.Code = 1, 4
	}
	return c
}
