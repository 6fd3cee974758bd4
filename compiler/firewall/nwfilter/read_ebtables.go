package nwfilter

import (
	"fmt"
	"strconv"

	"github.com/sbx-dev/sbx/compiler/firewall/space"
)

// placeEbtables places a rule of ebtables; e is nil where it matches every frame of its
// chain.
func (r *reader) placeEbtables(in instance, e *element) error {
	kinds, ether := chainKinds(in.chain)
	for _, k := range kinds {
		b := space.Everything()
		if k == space.KindOther {
			b[space.DimProto] = ether
		}
		boxes := []space.Box{b}
		if e != nil {
			matches, err := matchEbtables(e, k, &b)
			if err != nil {
				return err
			}
			if !matches {
				continue
			}
			boxes = []space.Box{b}
			if e.attrs["match"] == "no" {
				if boxes, err = negate(b); err != nil {
					return err
				}
			}
		}
		for _, b := range boxes {
			r.addEbtables(in, k, b)
		}
	}
	return nil
}

// addEbtables adds a box in the rule's directions. A rule for both is read as one for
// what comes in, and turned around for what goes out.
func (r *reader) addEbtables(in instance, k space.Kind, b space.Box) {
	if in.direction != "out" {
		r.clauses = append(r.clauses, placed{&in, space.Slice{In: true, Kind: k}, false, space.Clause{Box: b, Verdict: verdictOf(in.action), Rule: in.rule}})
	}
	if in.direction == "inout" {
		icmp := k == space.KindV6 && b[space.DimProto] == space.Single(space.Number(space.ProtoICMPv6))
		kept := b[space.DimDstPort]
		b = b.Reversed()
		if icmp { // types do not turn around
			b[space.DimSrcPort], b[space.DimDstPort] = space.Full, kept
		}
	}
	if in.direction != "in" {
		r.clauses = append(r.clauses, placed{&in, space.Slice{In: false, Kind: k}, false, space.Clause{Box: b, Verdict: verdictOf(in.action), Rule: in.rule}})
	}
}

// matchEbtables bounds b by the element; matches is false when no frame of the kind
// can match.
func matchEbtables(e *element, k space.Kind, b *space.Box) (matches bool, err error) {
	f := &fields{attrs: e.attrs}
	b[space.DimSrcMAC] = f.mac("srcmacaddr", "srcmacmask")
	b[space.DimDstMAC] = f.mac("dstmacaddr", "dstmacmask")
	switch e.name {
	case "mac":
		matches = f.etherType(k, b)
	case "arp":
		f.arp(b)
		matches = k == space.KindARP
	case "rarp":
		f.arp(b)
		matches = k == space.KindRARP
	case "ip":
		f.ip(b, false)
		matches = k == space.KindV4
	case "ipv6":
		f.ip(b, true)
		matches = k == space.KindV6
	default:
		return false, fmt.Errorf("<%s> is not modelled, or libvirt takes it for a rule that matches everything", e.name)
	}
	return matches, f.rest()
}

var etherNames = map[string]uint64{"ipv4": space.EtherIPv4, "ipv6": space.EtherIPv6, "arp": space.EtherARP, "rarp": space.EtherRARP, "vlan": space.EtherVLAN}

func (f *fields) etherType(k space.Kind, b *space.Box) bool {
	text, ok := f.take("protocolid")
	if !ok {
		return true
	}
	n, named := etherNames[text]
	if !named {
		var err error
		if n, err = strconv.ParseUint(text, 0, 16); err != nil {
			f.fail("protocolid %q is not known", text)
			return false
		}
	}
	if of := space.KindOf(uint16(n)); of != space.KindOther {
		return of == k
	}
	bound := space.Single(space.Number(n))
	if k != space.KindOther || !b[space.DimProto].Has(bound.Low) {
		return false
	}
	b[space.DimProto] = bound
	return true
}

var arpOperations = map[string]uint64{"Request": 1, "Reply": 2, "Request_Reverse": 3, "Reply_Reverse": 4,
	"DRARP_Request": 5, "DRARP_Reply": 6, "DRARP_Error": 7, "InARP_Request": 8, "ARP_NAK": 9}

func (f *fields) arp(b *space.Box) {
	b[space.DimSrcPort], b[space.DimDstPort] = f.mac("arpsrcmacaddr", ""), f.mac("arpdstmacaddr", "")
	b[space.DimSrc] = f.addr("arpsrcipaddr", "arpsrcipmask", false)
	b[space.DimDst] = f.addr("arpdstipaddr", "arpdstipmask", false)
	text, ok := f.take("opcode")
	if !ok {
		return
	}
	n, named := arpOperations[text]
	if !named {
		var err error
		if n, err = strconv.ParseUint(text, 0, 16); err != nil {
			f.fail("opcode %q is not known", text)
		}
	}
	b[space.DimProto] = space.Single(space.Number(n))
}

var ipProtocols = map[string]uint64{"tcp": space.ProtoTCP, "udp": space.ProtoUDP, "udplite": 136, "esp": 50, "ah": 51, "icmp": space.ProtoICMP, "igmp": 2, "sctp": space.ProtoSCTP, "icmpv6": space.ProtoICMPv6}

func (f *fields) ip(b *space.Box, v6 bool) {
	b[space.DimSrc] = f.addr("srcipaddr", "srcipmask", v6)
	b[space.DimDst] = f.addr("dstipaddr", "dstipmask", v6)
	proto := uint64(256)
	if text, ok := f.take("protocol"); ok {
		n, named := ipProtocols[text]
		if !named {
			var err error
			if n, err = strconv.ParseUint(text, 0, 8); err != nil {
				f.fail("protocol %q is not known", text)
			}
		}
		proto = n
		b[space.DimProto] = space.Single(space.Number(n))
	}
	var src, dst bool
	b[space.DimSrcPort], src = f.numbers("srcportstart", "srcportend", 0xffff)
	b[space.DimDstPort], dst = f.numbers("dstportstart", "dstportend", 0xffff)
	if (src || dst) && proto != space.ProtoTCP && proto != space.ProtoUDP && proto != space.ProtoSCTP {
		f.fail("ports need the protocol tcp, udp or sctp")
	}
	if !v6 {
		return
	}
	kinds, typed := f.numbers("type", "typeend", 0xff)
	codes, coded := f.numbers("code", "codeend", 0xff)
	switch {
	case !typed && !coded:
	case proto != space.ProtoICMPv6 || !typed:
		f.fail("an ICMPv6 type or code needs the protocol icmpv6 and a type")
	case coded && kinds.Low != kinds.High:
		f.fail("codes of a range of types are not modelled")
	case coded:
		b[space.DimDstPort] = space.Span(kinds.Low.Lo<<8|codes.Low.Lo, kinds.Low.Lo<<8|codes.High.Lo)
	default:
		b[space.DimDstPort] = space.Span(kinds.Low.Lo<<8, kinds.High.Lo<<8|0xff)
	}
}
