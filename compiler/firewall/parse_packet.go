package firewall

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/sbx-dev/sbx/compiler/firewall/space"
)

// PacketSyntax is what ParsePacket reads, for help texts.
const PacketSyntax = `in|out tcp|udp|sctp|icmp|icmpv6|PROTOCOL-NUMBER [SOURCE] -> [DESTINATION] [type NAME|TYPE[/CODE]] [state STATE] [mac ADDRESS]
SOURCE and DESTINATION are ADDRESS, ADDRESS:PORT, [IPV6]:PORT or :PORT; the sandbox's own address may be left out.
STATE is new (the default), original, reply, related, invalid or untracked.`

// ParsePacket reads a packet as a person writes it, "in tcp 203.0.113.5 -> :443",
// and fills in what is left out from the interface that the policy guards.
func (p *Policy) ParsePacket(text string) (space.Packet, error) {
	words := strings.Fields(text)
	if len(words) < 3 || words[0] != "in" && words[0] != "out" {
		return space.Packet{}, fmt.Errorf("%q is no packet; want %s", text, PacketSyntax)
	}
	r := packetReader{policy: p, packet: space.Packet{In: words[0] == "in"}}
	r.protocol(words[1])
	r.ends(words[2:])
	if r.err != nil {
		return space.Packet{}, fmt.Errorf("%q: %w", text, r.err)
	}
	return r.packet, nil
}

type packetReader struct {
	policy *Policy
	packet space.Packet
	icmp   bool
	v6     bool // an ICMPv6 message was asked for
	typed  bool
	err    error
}

func (r *packetReader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

func (r *packetReader) protocol(word string) {
	switch word {
	case "tcp":
		r.packet.Protocol = space.ProtoTCP
	case "udp":
		r.packet.Protocol = space.ProtoUDP
	case "sctp":
		r.packet.Protocol = space.ProtoSCTP
	case "icmp", "icmpv6":
		r.icmp, r.v6 = true, word == "icmpv6"
	default:
		n, err := strconv.ParseUint(word, 10, 8)
		if err != nil {
			r.fail("%q is no protocol: want tcp, udp, sctp, icmp, icmpv6 or a number up to 255", word)
		}
		r.packet.Protocol = uint8(n)
	}
}

// ends reads what stands around the arrow, and the words behind.
func (r *packetReader) ends(words []string) {
	var src, dst string
	if words[0] != "->" {
		src, words = words[0], words[1:]
	}
	if len(words) == 0 || words[0] != "->" {
		r.fail("the source and the destination have \"->\" between them")
		return
	}
	words = words[1:]
	if len(words) > 0 && !isOption(words[0]) {
		dst, words = words[0], words[1:]
	}
	source, sourcePort := r.end(src)
	destination, destinationPort := r.end(dst)
	r.complete(source, destination)
	r.packet.SrcPort, r.packet.DstPort = sourcePort, destinationPort
	if sourcePort == 0 && !r.icmp {
		r.packet.SrcPort = clientPort
	}
	r.options(words)
}

func isOption(word string) bool { return word == "type" || word == "state" || word == "mac" }

// end reads one end of a packet.
func (r *packetReader) end(word string) (netip.Addr, uint16) {
	if word == "" {
		return netip.Addr{}, 0
	}
	if a, err := netip.ParseAddr(word); err == nil {
		return r.plain(a), 0
	}
	if port, ok := strings.CutPrefix(word, ":"); ok {
		return netip.Addr{}, r.port(port)
	}
	both, err := netip.ParseAddrPort(word)
	if err != nil {
		r.fail("%q is no address, with or without a port", word)
	}
	return r.plain(both.Addr()), both.Port()
}

func (r *packetReader) plain(a netip.Addr) netip.Addr {
	if err := space.CheckPlain(a); err != nil {
		r.fail("%v", err)
	}
	return a
}

func (r *packetReader) port(text string) uint16 {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		r.fail("%q is no port", text)
	}
	return uint16(n)
}

// complete fills in the ends that were left out, and the frame around them.
func (r *packetReader) complete(src, dst netip.Addr) {
	v6 := r.v6 || src.IsValid() && src.Is6() || dst.IsValid() && dst.Is6() || !src.IsValid() && !dst.IsValid() && !r.policy.Has(false)
	own, remote := netip.Addr{}, exampleRemotes[0]
	if v6 {
		remote = exampleRemotes[1]
	}
	if locals := r.policy.Locals(v6); len(locals) > 0 {
		own = locals[0]
	}
	p := &r.packet
	p.EtherType, p.SrcMAC, p.DstMAC = space.EtherIPv4, someMAC, r.policy.iface.MAC
	ends := [2]netip.Addr{remote, own}
	if !p.In {
		ends[0], ends[1] = own, remote
		p.SrcMAC, p.DstMAC = p.DstMAC, p.SrcMAC
	}
	p.Src, p.Dst = ends[0], ends[1]
	if src.IsValid() {
		p.Src = src
	}
	if dst.IsValid() {
		p.Dst = dst
	}
	if v6 {
		p.EtherType = space.EtherIPv6
	}
	switch {
	case !p.Src.IsValid() || !p.Dst.IsValid():
		r.fail("the interface has no IPv%d address of its own to fill in: write both ends", map[bool]int{false: 4, true: 6}[v6])
	case p.Src.Is6() != v6 || p.Dst.Is6() != v6:
		r.fail("the ends are of different families")
	}
	if r.icmp {
		p.Protocol = space.ICMPOf(space.KindOf(p.EtherType))
	}
}

func (r *packetReader) options(words []string) {
	if len(words)%2 != 0 {
		r.fail("%q stands alone: want type, state or mac with a value", words[len(words)-1])
		return
	}
	for i := 0; i < len(words); i += 2 {
		switch value := words[i+1]; words[i] {
		case "type":
			r.icmpType(value)
		case "state":
			r.state(value)
		case "mac":
			mac, err := net.ParseMAC(value)
			if err != nil || len(mac) != 6 {
				r.fail("%q is no MAC address", value)
			}
			r.packet.SrcMAC = mac
		default:
			r.fail("%q is neither type, state nor mac", words[i])
		}
	}
	if r.icmp && !r.typed {
		r.fail("an ICMP packet needs its type: \"type echo-request\"")
	}
}

func (r *packetReader) icmpType(word string) {
	r.typed = true
	if !r.icmp {
		r.fail("only icmp has a type")
		return
	}
	table := ICMPv4
	if r.packet.EtherType == space.EtherIPv6 {
		table = ICMPv6
	}
	name, code, _ := strings.Cut(word, "/")
	if k, ok := table[name]; ok {
		r.packet.Type = k.Type
	} else {
		r.packet.Type = r.byte(name)
	}
	if code != "" {
		r.packet.Code = r.byte(code)
	}
}

func (r *packetReader) byte(text string) uint8 {
	n, err := strconv.ParseUint(text, 10, 8)
	if err != nil {
		r.fail("%q is no ICMP type or code that rules name, and no number up to 255", text)
	}
	return uint8(n)
}

func (r *packetReader) state(word string) {
	for s := range space.NumStates {
		if s.String() == word {
			r.packet.State = s
			return
		}
	}
	r.fail("%q is no state", word)
}
