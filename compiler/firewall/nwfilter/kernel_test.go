package nwfilter

import (
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/compiler/firewall/space"
	"github.com/sbx-dev/sbx/internal/randompolicy"
	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/schema"
)

// probe is a packet that is sent and looked out for.
type probe struct {
	space.Packet
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
	differential(t, startContainer, setting(t, "SBX_KERNEL_POLICIES", 6), func(*testing.T, firewall.Rules) bool { return true })
}

// TestModelAgreesWithTheKernelForMachines does the same with a machine, whose
// frames come from a guest and reach it.
func TestModelAgreesWithTheKernelForMachines(t *testing.T) {
	testhost.Need(t)
	differential(t, startMachine, setting(t, "SBX_KERNEL_MACHINE_POLICIES", 5), inProfile)
}

func differential(t *testing.T, start func(*testing.T) (sandbox, firewall.Interface), policies int, fit func(*testing.T, firewall.Rules) bool) {
	t.Helper()
	probes := setting(t, "SBX_KERNEL_PROBES", 200)
	r := rand.New(rand.NewPCG(uint64(setting(t, "SBX_KERNEL_SEED", 17)), 18))
	d := &differ{lab: newLab(t, start), random: r, seen: map[string]int{}}
	for n := range policies {
		rules := randomFor(t, r, d.nic)
		for !fit(t, rules) {
			rules = randomFor(t, r, d.nic)
		}
		d.compiled = d.sandbox.enforce(t, rules)
		d.model = d.compiled.Model
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

// randomFor draws rules that fit the interface.
func randomFor(t *testing.T, r *rand.Rand, i firewall.Interface) firewall.Rules {
	t.Helper()
	for {
		rules := randompolicy.Rules(r)
		for n := range rules.Allow {
			rules.Allow[n].Connections = 0 // not a matter of single packets
		}
		if _, err := Compile(i, rules); err == nil && len(rules.Allow) > 0 {
			return rules
		}
	}
}

// model says what becomes of a packet.
type model interface {
	Eval(packet space.Packet, nfCall bool) Verdict
}

type differ struct {
	*lab
	compiled *Compiled
	model    model
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
		if p.EtherType == space.EtherARP || p.EtherType == space.EtherVLAN {
			continue
		}
		a := d.answer(p)
		if a == nil {
			continue
		}
		answers = append(answers, a)
		if p.Protocol == space.ProtoUDP && d.random.IntN(3) == 0 {
			errors = append(errors, d.complaint(p))
		}
	}
	d.round(t, errors)
	var more []*probe
	for _, a := range d.round(t, answers) {
		if a.Protocol == space.ProtoUDP {
			again := *a.chance
			again.State, again.number = space.Original, d.next()
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

// transmit sends the probes and gives what of them has arrived. A fence behind
// them in each direction says that no more is to come: nothing here waits for a
// machine that is slow.
func (d *differ) transmit(t *testing.T, probes []*probe) map[arrival]bool {
	t.Helper()
	fences := d.fences()
	for _, p := range slices.Concat(probes, fences) {
		if err := d.send(p); err != nil {
			t.Fatalf("%s: %v", p.Packet, err)
		}
	}
	got := map[arrival]bool{}
	for _, f := range fences {
		testhost.WaitFor(t, f.Packet.String(), time.Minute, func() bool {
			maps.Copy(got, d.collect())
			return got[f.arrival()]
		})
	}
	for _, f := range fences {
		delete(got, f.arrival())
	}
	for quiet := 0; quiet < 3 && len(probes) > 0; quiet++ {
		time.Sleep(15 * time.Millisecond)
		for at := range d.collect() {
			got[at], quiet = true, 0
		}
	}
	return got
}

// fences are a peer's question to the sandbox and the sandbox's to the peer, by
// ARP, so far as the filter lets them pass.
func (d *differ) fences() (out []*probe) {
	for _, in := range []bool{true, false} {
		p := &probe{number: d.next(), Packet: space.Packet{In: in, EtherType: space.EtherARP, Protocol: 1, ARPTarget: make(net.HardwareAddr, 6)}}
		d.address(p, d.nic.Addresses[0], bridgedOwn[0])
		p.ARPSource = p.SrcMAC
		if d.model.Eval(p.Packet, d.nfCall).Accept {
			out = append(out, p)
		}
	}
	return out
}

func (d *differ) send(p *probe) error {
	switch {
	case !p.In:
		return d.sandbox.send(ethernet(p.Packet, p.number, p.about))
	case p.Source == space.Host:
		return d.host.send(ipPacket(p.Packet, p.number, p.about), p.Dst)
	case p.Source == space.Routed:
		return d.routed.send(ethernet(p.Packet, p.number, p.about))
	}
	return d.peer.send(ethernet(p.Packet, p.number, p.about))
}

// arrival is a probe at an end. A bridge floods what it knows no port for, and
// the host answers of itself with what it was sent, so a probe may be seen where
// it was not for.
type arrival struct {
	in     bool         // at the sandbox
	end    space.Source // else
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
	for end, tokens := range map[space.Source][]uint32{space.Peer: d.peer.received(), space.Routed: d.routed.received(), space.Host: d.host.received()} {
		for _, n := range tokens {
			out[arrival{end: end, number: n}] = true
		}
	}
	return out
}

// A bound on connections counts those from one address, of a peer: of each range
// of its list by itself, and only what no rule before it lets pass. Loosening
// takes that for granted.
func TestConnectionsAreBounded(t *testing.T) {
	testhost.Need(t)
	d := &differ{lab: newLab(t, startContainer)}
	bound := func(most int, ports ...schema.Ports) schema.Rule {
		return schema.Rule{In: &schema.Match{TCP: ports}, From: []string{"10.0.0.0/8"}, Connections: most}
	}
	one := func(p uint16) schema.Ports { return schema.Ports{From: p, To: p} }
	d.compiled = d.sandbox.enforce(t, allow(bound(3, one(22), one(23)), bound(3, schema.Ports{From: 30, To: 31}),
		bound(0, one(40)), bound(3, schema.Ports{From: 40, To: 41})))
	d.model = d.compiled.Model
	setNFCall(t, true)
	for _, c := range []struct {
		ports []uint16 // to each of which five connections are opened
		want  int
	}{{[]uint16{22}, 3}, {[]uint16{23}, 3}, {[]uint16{30, 31}, 3}, {[]uint16{40}, 5}, {[]uint16{41}, 3}} {
		var probes []*probe
		for n := range 5 * len(c.ports) {
			p := &probe{number: d.next(), Packet: space.Packet{In: true, EtherType: space.EtherIPv4, Protocol: space.ProtoTCP, DstPort: c.ports[n/5]}}
			p.SrcPort = uint16(2000 + p.number)
			d.address(p, d.nic.Addresses[0], bridgedOwn[0])
			probes = append(probes, p)
		}
		if got := d.transmit(t, probes); len(got) != c.want {
			t.Errorf("%d of %d connections to %v came through, want %d", len(got), len(probes), c.ports, c.want)
		}
	}
}
