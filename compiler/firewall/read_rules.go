package firewall

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// chainPriorities are libvirt's defaults by a chain's prefix.
var chainPriorities = map[string]int{"root": 0, "stp": -810, "mac": -800, "vlan": -750, "ipv4": -700, "ipv6": -600, "arp": -500, "rarp": -400}

func chainPrefix(chain string) string {
	prefix, _, _ := strings.Cut(chain, "-")
	return prefix
}

func chainPriority(chain, written string) (int, error) {
	n, ok := chainPriorities[chainPrefix(chain)]
	if !ok || chainPrefix(chain) == "stp" {
		return 0, fmt.Errorf("chain %q is not modelled", chain)
	}
	if written == "" {
		return n, nil
	}
	n, err := strconv.Atoi(written)
	if err != nil || n < -1000 || n > 1000 {
		return 0, fmt.Errorf("priority %q is no number from -1000 to 1000", written)
	}
	return n, nil
}

// chainKinds are the kinds of frame that enter a chain, and the EtherType that
// they must have where the kind does not say it all.
func chainKinds(chain string) ([]kind, interval) {
	switch chainPrefix(chain) {
	case "ipv4":
		return []kind{kindV4}, full
	case "ipv6":
		return []kind{kindV6}, full
	case "arp":
		return []kind{kindARP}, full
	case "rarp":
		return []kind{kindRARP}, full
	case "vlan":
		return []kind{kindOther}, single(number(etherVLAN))
	}
	return []kind{kindV4, kindV6, kindARP, kindRARP, kindOther}, full
}

// layerBElements are the protocols of layer B: the number that they ask for, −1
// for any.
var layerBElements = map[string]struct {
	kind  kind
	proto int
	ports bool
}{
	"tcp": {kindV4, ipTCP, true}, "udp": {kindV4, ipUDP, true}, "sctp": {kindV4, ipSCTP, true}, "udplite": {kindV4, 136, false},
	"esp": {kindV4, 50, false}, "ah": {kindV4, 51, false}, "icmp": {kindV4, ipICMP, false}, "igmp": {kindV4, 2, false}, "all": {kindV4, -1, false},
	"tcp-ipv6": {kindV6, ipTCP, true}, "udp-ipv6": {kindV6, ipUDP, true}, "sctp-ipv6": {kindV6, ipSCTP, true}, "udplite-ipv6": {kindV6, 136, false},
	"esp-ipv6": {kindV6, 50, false}, "ah-ipv6": {kindV6, 51, false}, "icmpv6": {kindV6, ipICMPv6, false}, "all-ipv6": {kindV6, -1, false},
}

// place turns an instance into the clauses of the layer that it belongs to.
func (r *reader) place(in instance) error {
	if in.match == nil {
		return r.placeA(in, nil)
	}
	if _, ok := layerBElements[in.match.name]; ok {
		return r.placeB(in)
	}
	return r.placeA(in, in.match)
}

// fields collects the bounds that attributes put on a box. It hands out each
// attribute once, so that what is left over is unknown.
type fields struct {
	attrs map[string]string
	used  []string
	err   error
}

func (f *fields) take(name string) (string, bool) {
	f.used = append(f.used, name)
	v, ok := f.attrs[name]
	return v, ok
}

func (f *fields) fail(format string, args ...any) {
	if f.err == nil {
		f.err = fmt.Errorf(format, args...)
	}
}

// rest fails on attributes that nobody took.
func (f *fields) rest() error {
	for name := range f.attrs {
		if !slices.Contains(f.used, name) && name != "comment" && name != "match" {
			f.fail("the attribute %s is not modelled, or libvirt ignores it", name)
		}
	}
	return f.err
}

// takeMasked takes an address and its mask, and says which of them is there; the
// name mask is empty for an address that can have none. libvirt ignores a mask
// that stands alone, which is refused here.
func (f *fields) takeMasked(address, mask string) (text, maskText string, ok, masked bool) {
	text, ok = f.take(address)
	if mask != "" {
		maskText, masked = f.take(mask)
	}
	if !ok && masked {
		f.fail("%s without %s matches every address", mask, address)
	}
	return text, maskText, ok, masked
}

func (f *fields) mac(address, mask string) interval {
	text, maskText, ok, masked := f.takeMasked(address, mask)
	if !ok {
		return full
	}
	mac, err := net.ParseMAC(text)
	if err != nil || len(mac) != 6 {
		f.fail("%s %q is no MAC address", address, text)
		return full
	}
	m := net.HardwareAddr{255, 255, 255, 255, 255, 255}
	if masked {
		if m, err = net.ParseMAC(maskText); err != nil || len(m) != 6 {
			f.fail("%s %q is no mask", mask, maskText)
			return full
		}
	}
	low, bits := macValue(mac).lo, macValue(m).lo
	hostBits := ^bits & (1<<48 - 1)
	if hostBits&(hostBits+1) != 0 {
		f.fail("%s %q has gaps", mask, maskText)
	}
	return span(low&bits, low&bits|hostBits)
}

func (f *fields) addr(address, mask string, v6 bool) interval {
	text, maskText, ok, masked := f.takeMasked(address, mask)
	if !ok {
		return full
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Is6() != v6 || a.Zone() != "" {
		f.fail("%s %q is no address of the rule's family", address, text)
		return full
	}
	bits := a.BitLen()
	if masked {
		if bits, err = maskBits(maskText, a.BitLen()); err != nil {
			f.fail("%s: %v", mask, err)
			return full
		}
	}
	p, _ := a.Prefix(bits)
	return addresses(Range{p.Addr(), lastOf(p)})
}

// maskBits reads a prefix length or a netmask.
func maskBits(text string, size int) (int, error) {
	if n, err := strconv.Atoi(text); err == nil && n >= 0 && n <= size {
		return n, nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.BitLen() != size {
		return 0, fmt.Errorf("%q is no mask", text)
	}
	mask := net.IPMask(a.AsSlice())
	ones, total := mask.Size()
	if total == 0 {
		return 0, fmt.Errorf("the mask %q has gaps", text)
	}
	return ones, nil
}

// numbers reads a bound with an optional end; libvirt ignores an end without a
// start.
func (f *fields) numbers(start, end string, limit uint64) (interval, bool) {
	low, ok := f.number(start, limit)
	high, ranged := f.number(end, limit)
	switch {
	case !ok && ranged:
		f.fail("%s without %s matches everything", end, start)
		return full, false
	case !ok:
		return full, false
	case !ranged:
		high = low
	case high < low:
		f.fail("%s lies below %s", end, start)
	}
	return span(low, high), true
}

func (f *fields) number(name string, limit uint64) (uint64, bool) {
	if name == "" {
		return 0, false
	}
	text, ok := f.take(name)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(text, 0, 64)
	if err != nil || n > limit {
		f.fail("%s %q is no number up to %d", name, text, limit)
	}
	return n, true
}

// negate gives the boxes that a match='no' leaves. libvirt negates attribute by
// attribute, and not every attribute, so only a lone one is modelled.
func negate(b box) ([]box, error) {
	bounded := -1
	for d := range b {
		if b[d] == full || d == dProto {
			continue
		}
		if bounded >= 0 || d == dState || d == dSrcPort || d == dDstPort {
			return nil, fmt.Errorf("match='no' is modelled for one MAC or IP address alone")
		}
		bounded = d
	}
	if bounded < 0 {
		return nil, fmt.Errorf("match='no' has nothing to negate")
	}
	var out []box
	if low := b[bounded].low; low != (value{}) {
		part := b
		part[bounded] = interval{value{}, before(low)}
		out = append(out, part)
	}
	if above, ok := b[bounded].high.next(); ok {
		part := b
		part[bounded] = interval{above, full.high}
		out = append(out, part)
	}
	return out, nil
}

// reversed is the box of the packets that go back.
func (b box) reversed() box {
	b[dSrc], b[dDst] = b[dDst], b[dSrc]
	b[dSrcMAC], b[dDstMAC] = b[dDstMAC], b[dSrcMAC]
	b[dSrcPort], b[dDstPort] = b[dDstPort], b[dSrcPort]
	return b
}

// verdictOf maps an action; ebtables and the model know no difference between a
// drop and a rejection.
func verdictOf(action string) verdict {
	switch action {
	case "accept":
		return accept
	case "return":
		return leave
	}
	return drop
}
