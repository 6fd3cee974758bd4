package nwfilter

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"

	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/compiler/firewall/space"
)

func pick[T any](r *rand.Rand, of []T) T { return of[r.IntN(len(of))] }

// draw makes a packet that belongs to no conversation yet. One of its ports is
// its own; the other is one that rules speak of.
func (d *differ) draw() *probe {
	r := d.random
	p := &probe{number: d.next(), Packet: space.Packet{In: r.IntN(2) == 0, Source: space.Source(r.IntN(3)), EtherType: space.EtherIPv4}}
	v6 := r.IntN(2) == 0
	if v6 {
		p.EtherType = space.EtherIPv6
	}
	remote, own := d.remote(p.Source, v6), d.nic.Addresses[0]
	if v6 {
		own = d.nic.Addresses[1]
	}
	if !p.In && r.IntN(8) == 0 { // under another's address
		own = map[bool]netip.Addr{false: netip.MustParseAddr("10.0.0.81"), true: netip.MustParseAddr("fd00::81")}[v6]
	}
	d.address(p, own, remote)
	if !p.In && r.IntN(8) == 0 {
		p.SrcMAC = net.HardwareAddr{2, 0, 0, 0, 0, 0x99}
	}
	p.Protocol = []uint8{space.ProtoTCP, space.ProtoTCP, space.ProtoUDP, space.ProtoUDP, space.ProtoSCTP, space.ICMPOf(space.KindOf(p.EtherType))}[r.IntN(6)]
	unique, known := uint16(1024+d.number%60000), d.port(p.Protocol)
	p.SrcPort, p.DstPort = unique, known
	if r.IntN(4) == 0 {
		p.SrcPort, p.DstPort = known, unique
	}
	if p.Protocol == space.ICMPOf(space.KindOf(p.EtherType)) {
		d.drawICMP(p, unique)
	}
	if p.Source == space.Peer && r.IntN(15) == 0 {
		d.drawFrame(p, own, remote)
	}
	return p
}

func (d *differ) remote(from space.Source, v6 bool) netip.Addr {
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
	if p.Source != space.Peer {
		theirs = d.routerMAC[space.Host]
	}
	if !p.In {
		p.Src, p.Dst, p.SrcMAC, p.DstMAC = own, remote, d.nic.MAC, theirs
		return
	}
	p.Src, p.Dst, p.SrcMAC, p.DstMAC = remote, own, theirs, d.nic.MAC
	if p.Source == space.Routed { // the frame that the router is given
		p.SrcMAC, p.DstMAC = d.routed.mac, d.routerMAC[space.Routed]
	}
}

// port is one at the border of what a rule speaks of.
func (d *differ) port(protocol uint8) uint16 {
	rules := d.compiled.Policy.Rules()
	for range 20 {
		s := pick(d.random, pick(d.random, rules).Services)
		if s.Proto == firewall.ICMP || s.Proto == firewall.Other {
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
	p.Type, p.State = pick(d.random, []uint8{8, 8, 13, 0, 5}), space.Invalid
	if p.EtherType == space.EtherIPv6 {
		p.Type = pick(d.random, []uint8{128, 128, 129, 135, 136, 134, 137})
	}
	switch p.Type {
	case 8, 13, 128:
		p.State = space.New
	case 135, 136, 134, 137:
		p.State = space.Untracked
	}
}

// drawFrame makes it a frame that is no IP.
func (d *differ) drawFrame(p *probe, own, remote netip.Addr) {
	p.Protocol, p.SrcPort, p.DstPort, p.Type, p.State = 1, 0, 0, 0, space.New
	if p.EtherType == space.EtherIPv6 {
		p.EtherType = space.EtherVLAN
		return
	}
	p.EtherType = space.EtherARP
	p.ARPSource, p.ARPTarget = p.SrcMAC, net.HardwareAddr{0, 0, 0, 0, 0, 0}
	if d.random.IntN(4) == 0 {
		p.ARPSource = net.HardwareAddr{2, 0, 0, 0, 0, 0x99}
	}
}

// answer is the packet that replies to one that arrived; nil where there is no
// such thing.
func (d *differ) answer(p *probe) *probe {
	a := &probe{number: d.next(), chance: p, Packet: p.Packet}
	a.In, a.State, a.SrcPort, a.DstPort = !p.In, space.Reply, p.DstPort, p.SrcPort
	own, remote := p.Dst, p.Src
	if !p.In {
		own, remote = remote, own
	}
	if !slices.Contains(d.nic.Addresses, own) {
		return nil // nobody can route an answer to a borrowed address
	}
	d.address(a, own, remote)
	if p.Protocol != space.ICMPOf(space.KindOf(p.EtherType)) {
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
	c.Protocol, c.Type, c.Code, c.State = space.ICMPOf(space.KindOf(p.EtherType)), 3, 3, space.Related
	if p.EtherType == space.EtherIPv6 {
		c.Type, c.Code = 1, 4
	}
	return c
}
