package nwfilter

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/sbx-dev/sbx/compiler/firewall/space"
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
func chainKinds(chain string) ([]space.Kind, space.Interval) {
	switch chainPrefix(chain) {
	case "ipv4":
		return []space.Kind{space.KindV4}, space.Full
	case "ipv6":
		return []space.Kind{space.KindV6}, space.Full
	case "arp":
		return []space.Kind{space.KindARP}, space.Full
	case "rarp":
		return []space.Kind{space.KindRARP}, space.Full
	case "vlan":
		return []space.Kind{space.KindOther}, space.Single(space.Number(space.EtherVLAN))
	}
	return []space.Kind{space.KindV4, space.KindV6, space.KindARP, space.KindRARP, space.KindOther}, space.Full
}

// iptablesElements are the protocols of iptables: the number that they ask for, −1
// for any.
var iptablesElements = map[string]struct {
	kind  space.Kind
	proto int
	ports bool
}{
	"tcp": {space.KindV4, space.ProtoTCP, true}, "udp": {space.KindV4, space.ProtoUDP, true}, "sctp": {space.KindV4, space.ProtoSCTP, true}, "udplite": {space.KindV4, 136, false},
	"esp": {space.KindV4, 50, false}, "ah": {space.KindV4, 51, false}, "icmp": {space.KindV4, space.ProtoICMP, false}, "igmp": {space.KindV4, 2, false}, "all": {space.KindV4, -1, false},
	"tcp-ipv6": {space.KindV6, space.ProtoTCP, true}, "udp-ipv6": {space.KindV6, space.ProtoUDP, true}, "sctp-ipv6": {space.KindV6, space.ProtoSCTP, true}, "udplite-ipv6": {space.KindV6, 136, false},
	"esp-ipv6": {space.KindV6, 50, false}, "ah-ipv6": {space.KindV6, 51, false}, "icmpv6": {space.KindV6, space.ProtoICMPv6, false}, "all-ipv6": {space.KindV6, -1, false},
}

// place turns an instance into the clauses of the layer that it belongs to.
func (r *reader) place(in instance) error {
	if in.match == nil {
		return r.placeEbtables(in, nil)
	}
	if _, ok := iptablesElements[in.match.name]; ok {
		return r.placeIptables(in)
	}
	return r.placeEbtables(in, in.match)
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

func (f *fields) mac(address, mask string) space.Interval {
	text, maskText, ok, masked := f.takeMasked(address, mask)
	if !ok {
		return space.Full
	}
	mac, err := net.ParseMAC(text)
	if err != nil || len(mac) != 6 {
		f.fail("%s %q is no MAC address", address, text)
		return space.Full
	}
	m := net.HardwareAddr{255, 255, 255, 255, 255, 255}
	if masked {
		if m, err = net.ParseMAC(maskText); err != nil || len(m) != 6 {
			f.fail("%s %q is no mask", mask, maskText)
			return space.Full
		}
	}
	low, bits := space.MacValue(mac).Lo, space.MacValue(m).Lo
	hostBits := ^bits & (1<<48 - 1)
	if hostBits&(hostBits+1) != 0 {
		f.fail("%s %q has gaps", mask, maskText)
	}
	return space.Span(low&bits, low&bits|hostBits)
}

func (f *fields) addr(address, mask string, v6 bool) space.Interval {
	text, maskText, ok, masked := f.takeMasked(address, mask)
	if !ok {
		return space.Full
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Is6() != v6 || a.Zone() != "" {
		f.fail("%s %q is no address of the rule's family", address, text)
		return space.Full
	}
	bits := a.BitLen()
	if masked {
		if bits, err = maskBits(maskText, a.BitLen()); err != nil {
			f.fail("%s: %v", mask, err)
			return space.Full
		}
	}
	p, _ := a.Prefix(bits)
	return space.Addresses(space.Range{From: p.Addr(), To: space.LastOf(p)})
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
func (f *fields) numbers(start, end string, limit uint64) (space.Interval, bool) {
	low, ok := f.number(start, limit)
	high, ranged := f.number(end, limit)
	switch {
	case !ok && ranged:
		f.fail("%s without %s matches everything", end, start)
		return space.Full, false
	case !ok:
		return space.Full, false
	case !ranged:
		high = low
	case high < low:
		f.fail("%s lies below %s", end, start)
	}
	return space.Span(low, high), true
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
func negate(b space.Box) ([]space.Box, error) {
	bounded := -1
	for d := range b {
		if b[d] == space.Full || d == space.DimProto {
			continue
		}
		if bounded >= 0 || d == space.DimState || d == space.DimSrcPort || d == space.DimDstPort {
			return nil, fmt.Errorf("match='no' is modelled for one MAC or IP address alone")
		}
		bounded = d
	}
	if bounded < 0 {
		return nil, fmt.Errorf("match='no' has nothing to negate")
	}
	var out []space.Box
	if low := b[bounded].Low; low != (space.Value{}) {
		part := b
		part[bounded] = space.Interval{Low: space.Value{}, High: space.Before(low)}
		out = append(out, part)
	}
	if above, ok := b[bounded].High.Next(); ok {
		part := b
		part[bounded] = space.Interval{Low: above, High: space.Full.High}
		out = append(out, part)
	}
	return out, nil
}

// verdictOf maps an action; ebtables and the model know no difference between a
// drop and a rejection.
func verdictOf(action string) space.Verdict {
	switch action {
	case "accept":
		return space.Accept
	case "return":
		return space.Leave
	}
	return space.Drop
}
