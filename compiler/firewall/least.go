package firewall

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/sbx-dev/sbx/compiler/firewall/space"
	"github.com/sbx-dev/sbx/schema"
)

// Least is the smallest rule that lets a packet pass that opens a conversation, as CUE
// writes an element of an allow-list; one protocol and port, one address. Where no rule
// can, it is empty, and why says the reason; of a rule, why is what it cannot promise.
//
// The rule is one that Eval lets the packet pass by, and the packet is as it is seen at
// the interface: its state counts for nothing.
func Least(i Interface, p space.Packet) (rule, why string) {
	closed, err := Resolve(i, Rules{})
	if err != nil {
		return "", err.Error()
	}
	if why := closed.hopeless(p); why != "" {
		return "", why
	}
	match, word, why := matching(&p)
	if match == nil {
		return "", why
	}
	remote, least := p.Dst, schema.Rule{Out: match, To: schema.List{p.Dst.String()}}
	head, tail := "out", "to"
	if p.In {
		remote, least = p.Src, schema.Rule{In: match, From: schema.List{p.Src.String()}}
		head, tail = "in", "from"
	}
	policy, err := Resolve(i, Rules{Allow: []schema.Rule{least}})
	if err != nil {
		return "", err.Error()
	}
	if !policy.Eval(p).Accept {
		return "", "no rule of a profile lets it pass"
	}
	return fmt.Sprintf("{%s: %s, %s: %q}", head, word, tail, remote), why
}

// hopeless is why no rule can let a packet pass; empty where one may.
func (p *Policy) hopeless(packet space.Packet) string {
	kind := space.KindOf(packet.EtherType)
	v6 := kind == space.KindV6
	switch {
	case !packet.In && !bytes.Equal(packet.SrcMAC, p.iface.MAC):
		return fmt.Sprintf("it is sent under the MAC address %s, and the interface's own is %s: nothing leaves under another one", packet.SrcMAC, p.iface.MAC)
	case kind == space.KindARP && !packet.In:
		return fmt.Sprintf("it says by ARP to be %s, and what is sent by ARP names the interface's own addresses alone", packet.Src)
	case kind != space.KindV4 && kind != space.KindV6:
		return fmt.Sprintf("it is a frame of the type 0x%04x, and none passes but those of IP and ARP, without a tag of a VLAN", packet.EtherType)
	case !p.Has(v6):
		return fmt.Sprintf("the interface has no address of IPv%d, and without one nothing of that family passes", map[bool]int{false: 4, true: 6}[v6])
	case !packet.In && !slices.Contains(p.local, packet.Src):
		return fmt.Sprintf("it is sent under the address %s, which is not the interface's own", packet.Src)
	case packet.In && !slices.Contains(p.local, packet.Dst):
		return fmt.Sprintf("it goes to %s, which is not the interface's own address: nothing else comes in, and no multicast or broadcast", packet.Dst)
	}
	return ""
}

// matching is what a rule says of a packet's protocol, and the same in CUE; nil where no
// rule speaks of it. It sets the state in which such a rule lets the packet pass.
func matching(p *space.Packet) (m *schema.Match, word, why string) {
	p.State = space.New
	if p.Protocol == space.ICMPOf(space.KindOf(p.EtherType)) {
		return message(p)
	}
	name := map[uint8]string{space.ProtoTCP: "tcp", space.ProtoUDP: "udp", space.ProtoSCTP: "sctp"}[p.Protocol]
	if name == "" {
		return &schema.Match{Any: true}, "any: true", fmt.Sprintf("a rule cannot name the protocol %d, which passes together with all others alone", p.Protocol)
	}
	if p.DstPort == 0 {
		return nil, "", "no rule names the port 0"
	}
	ports := []schema.Ports{{From: p.DstPort, To: p.DstPort}}
	m = &schema.Match{}
	*map[string]*[]schema.Ports{"tcp": &m.TCP, "udp": &m.UDP, "sctp": &m.SCTP}[name] = ports
	return m, fmt.Sprintf("%s: [%d]", name, p.DstPort), ""
}

// message is what a rule says of a message of ICMP.
func message(p *space.Packet) (m *schema.Match, word, why string) {
	name, table := "icmp", ICMPv4
	if p.EtherType == space.EtherIPv6 {
		name, table = "icmpv6", ICMPv6
	}
	for kind, k := range table {
		if k.Type != p.Type {
			continue
		}
		if k.Error && p.In {
			return nil, "", "errors come in by themselves, about connections that were let pass, once there is a rule of their family: this one is about none"
		}
		if k.Error {
			p.State, why = space.Related, "errors pass about connections that were let pass alone"
		}
		m = &schema.Match{ICMP: schema.List{kind}}
		if name == "icmpv6" {
			m = &schema.Match{ICMPv6: schema.List{kind}}
		}
		return m, fmt.Sprintf("%s: [%q]", name, kind), why
	}
	return nil, "", fmt.Sprintf("it is %s of the type %d: replies pass by themselves where they were asked for, and other types are not a profile's to open", name, p.Type)
}
