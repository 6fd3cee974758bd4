package firewall

import (
	"fmt"
	"strconv"
)

// placeA places a rule of layer A; e is nil where it matches every frame of its
// chain.
func (r *reader) placeA(in instance, e *element) error {
	kinds, ether := chainKinds(in.chain)
	for _, k := range kinds {
		b := everything()
		if k == kindOther {
			b[dProto] = ether
		}
		boxes := []box{b}
		if e != nil {
			matches, err := matchA(e, k, &b)
			if err != nil {
				return err
			}
			if !matches {
				continue
			}
			boxes = []box{b}
			if e.attrs["match"] == "no" {
				if boxes, err = negate(b); err != nil {
					return err
				}
			}
		}
		for _, b := range boxes {
			r.addA(in, k, b)
		}
	}
	return nil
}

// addA adds a box in the rule's directions. A rule for both is read as one for
// what comes in, and turned around for what goes out.
func (r *reader) addA(in instance, k kind, b box) {
	if in.direction != "out" {
		r.clauses = append(r.clauses, placed{&in, slice{true, k}, false, clause{box: b, verdict: verdictOf(in.action), rule: in.rule}})
	}
	if in.direction == "inout" {
		icmp := k == kindV6 && b[dProto] == single(number(ipICMPv6))
		kept := b[dDstPort]
		b = b.reversed()
		if icmp { // types do not turn around
			b[dSrcPort], b[dDstPort] = full, kept
		}
	}
	if in.direction != "in" {
		r.clauses = append(r.clauses, placed{&in, slice{false, k}, false, clause{box: b, verdict: verdictOf(in.action), rule: in.rule}})
	}
}

// matchA bounds b by the element; matches is false when no frame of the kind
// can match.
func matchA(e *element, k kind, b *box) (matches bool, err error) {
	f := &fields{attrs: e.attrs}
	b[dSrcMAC] = f.mac("srcmacaddr", "srcmacmask")
	b[dDstMAC] = f.mac("dstmacaddr", "dstmacmask")
	switch e.name {
	case "mac":
		matches = f.etherType(k, b)
	case "arp":
		f.arp(b)
		matches = k == kindARP
	case "rarp":
		f.arp(b)
		matches = k == kindRARP
	case "ip":
		f.ip(b, false)
		matches = k == kindV4
	case "ipv6":
		f.ip(b, true)
		matches = k == kindV6
	default:
		return false, fmt.Errorf("<%s> is not modelled, or libvirt takes it for a rule that matches everything", e.name)
	}
	return matches, f.rest()
}

var etherNames = map[string]uint64{"ipv4": etherIPv4, "ipv6": etherIPv6, "arp": etherARP, "rarp": etherRARP, "vlan": etherVLAN}

func (f *fields) etherType(k kind, b *box) bool {
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
	if of := kindOf(uint16(n)); of != kindOther {
		return of == k
	}
	bound := single(number(n))
	if k != kindOther || !b[dProto].has(bound.low) {
		return false
	}
	b[dProto] = bound
	return true
}

var arpOperations = map[string]uint64{"Request": 1, "Reply": 2, "Request_Reverse": 3, "Reply_Reverse": 4,
	"DRARP_Request": 5, "DRARP_Reply": 6, "DRARP_Error": 7, "InARP_Request": 8, "ARP_NAK": 9}

func (f *fields) arp(b *box) {
	b[dSrcPort], b[dDstPort] = f.mac("arpsrcmacaddr", ""), f.mac("arpdstmacaddr", "")
	b[dSrc] = f.addr("arpsrcipaddr", "arpsrcipmask", false)
	b[dDst] = f.addr("arpdstipaddr", "arpdstipmask", false)
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
	b[dProto] = single(number(n))
}

var ipProtocols = map[string]uint64{"tcp": ipTCP, "udp": ipUDP, "udplite": 136, "esp": 50, "ah": 51, "icmp": ipICMP, "igmp": 2, "sctp": ipSCTP, "icmpv6": ipICMPv6}

func (f *fields) ip(b *box, v6 bool) {
	b[dSrc] = f.addr("srcipaddr", "srcipmask", v6)
	b[dDst] = f.addr("dstipaddr", "dstipmask", v6)
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
		b[dProto] = single(number(n))
	}
	var src, dst bool
	b[dSrcPort], src = f.numbers("srcportstart", "srcportend", 0xffff)
	b[dDstPort], dst = f.numbers("dstportstart", "dstportend", 0xffff)
	if (src || dst) && proto != ipTCP && proto != ipUDP && proto != ipSCTP {
		f.fail("ports need the protocol tcp, udp or sctp")
	}
	if !v6 {
		return
	}
	kinds, typed := f.numbers("type", "typeend", 0xff)
	codes, coded := f.numbers("code", "codeend", 0xff)
	switch {
	case !typed && !coded:
	case proto != ipICMPv6 || !typed:
		f.fail("an ICMPv6 type or code needs the protocol icmpv6 and a type")
	case coded && kinds.low != kinds.high:
		f.fail("codes of a range of types are not modelled")
	case coded:
		b[dDstPort] = span(kinds.low.lo<<8|codes.low.lo, kinds.low.lo<<8|codes.high.lo)
	default:
		b[dDstPort] = span(kinds.low.lo<<8, kinds.high.lo<<8|0xff)
	}
}
