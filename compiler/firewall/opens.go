package firewall

import (
	"maps"
	"slices"
)

// Opens says whether the rule lets the sandbox send a packet of the protocol whose
// port, or type<<8|code, lies between low and high, in the family.
func (r Rule) Opens(v6 bool, proto Proto, low, high uint16) bool {
	if r.In || v6 && !r.V6 || !v6 && !r.V4 {
		return false
	}
	for _, s := range r.Services {
		if s.Proto == proto && s.Low <= high && low <= s.High {
			return true
		}
	}
	return false
}

// OpensEcho says whether the rule lets the sandbox send an echo request.
func (r Rule) OpensEcho() bool {
	v4, v6 := uint16(ICMPv4["echo-request"].Type)<<8, uint16(ICMPv6["echo-request"].Type)<<8
	return r.Opens(false, ICMP, v4, v4|0xff) || r.Opens(true, ICMP, v6, v6|0xff)
}

// OpensRaw names a request that the rule, which speaks of types of ICMP, lets the
// sandbox send, and that only a raw socket sends; empty where there is none. Errors
// are the kernel's to send.
func (r Rule) OpensRaw() string {
	if r.Any {
		return ""
	}
	for _, name := range slices.Sorted(maps.Keys(ICMPv4)) {
		kind, first := ICMPv4[name], uint16(ICMPv4[name].Type)<<8
		if !kind.Error && name != "echo-request" && r.Opens(false, ICMP, first, first|0xff) {
			return name
		}
	}
	return ""
}
