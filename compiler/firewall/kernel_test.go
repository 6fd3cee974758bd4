package firewall

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/schema"
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

// A bound on connections counts those from one address, of a peer.
func TestConnectionsAreBounded(t *testing.T) {
	testhost.Need(t)
	c, err := Compile(labCard, allow(schema.Rule{In: &schema.Match{TCP: port(22)}, From: []string{"10.0.0.0/8"}, Connections: 3}))
	if err != nil {
		t.Fatal(err)
	}
	defineFilter(t, c)
	d := &differ{lab: newLab(t, startContainer), compiled: c}
	setNFCall(t, true)
	var probes []*probe
	for range 5 {
		p := &probe{number: d.next(), Packet: Packet{In: true, EtherType: etherIPv4, Protocol: ipTCP, DstPort: 22}}
		p.SrcPort = uint16(2000 + p.number)
		d.address(p, labCard.Addresses[0], bridgedOwn[0])
		probes = append(probes, p)
	}
	if got := d.transmit(t, probes); len(got) != 3 {
		t.Errorf("%d of 5 connections came through a bound of 3", len(got))
	}
}
