package firewall

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// icmpKind is what an allow-list may say of an ICMP type. Every other type
// either answers something, and passes by itself, or is the network's own
// (neighbour discovery, redirects, router advertisements) and is not a profile's
// to open.
type icmpKind struct {
	Type  uint8
	Error bool  // sent about a packet of a known connection; else a request
	Reply uint8 // the type that answers a request
}

// The types by family and name (RFC 792 and RFC 4443). The kernel's connection
// tracking lets exactly these requests open a flow.
var (
	ICMPv4 = map[string]icmpKind{
		"echo-request":            {Type: 8, Reply: 0},
		"timestamp-request":       {Type: 13, Reply: 14},
		"address-mask-request":    {Type: 17, Reply: 18},
		"destination-unreachable": {Type: 3, Error: true},
		"time-exceeded":           {Type: 11, Error: true},
		"parameter-problem":       {Type: 12, Error: true},
	}
	ICMPv6 = map[string]icmpKind{
		"echo-request":            {Type: 128, Reply: 129},
		"destination-unreachable": {Type: 1, Error: true},
		"packet-too-big":          {Type: 2, Error: true},
		"time-exceeded":           {Type: 3, Error: true},
		"parameter-problem":       {Type: 4, Error: true},
	}
)

// ICMPReply gives the type that answers a request type.
func ICMPReply(table map[string]icmpKind, request uint8) (uint8, bool) {
	for _, k := range table {
		if k.Type == request && !k.Error {
			return k.Reply, true
		}
	}
	return 0, false
}

// parseICMP reads "echo-request", "8" or, for one code of an error, "3/4".
func parseICMP(table map[string]icmpKind, s string) (Service, error) {
	name, codeText, hasCode := strings.Cut(s, "/")
	kind, ok := table[name]
	if number, err := strconv.ParseUint(name, 10, 8); err == nil {
		for _, k := range table {
			if k.Type == uint8(number) {
				kind, ok = k, true
			}
		}
	}
	if !ok {
		names := slices.Sorted(maps.Keys(table))
		return Service{}, fmt.Errorf("ICMP type %q cannot be allowed: replies pass by themselves; a rule may name %s", s, strings.Join(names, ", "))
	}
	low, high := uint16(kind.Type)<<8, uint16(kind.Type)<<8|0xff
	if hasCode {
		code, err := strconv.ParseUint(codeText, 10, 8)
		if err != nil {
			return Service{}, fmt.Errorf("ICMP code %q is no number from 0 to 255", codeText)
		}
		low |= uint16(code)
		high = low
	}
	return Service{Proto: ICMP, Low: low, High: high}, nil
}
