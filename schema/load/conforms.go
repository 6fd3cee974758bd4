package load

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/sbx-dev/sbx/schema"
)

// conforms reports whether #Rule takes a value, which is as decodeAny gives it.
// It says in Go what network.cue and values.cue say in CUE, which takes a hundred
// times as long; a test holds the two against each other.
func conforms(value any) bool {
	rule, ok := value.(map[string]any)
	sides := 0
	for name, v := range rule {
		switch name {
		case "in", "out":
			sides++
			ok = ok && isMatch(v)
		case "from", "to":
			ok = ok && (isPeer(v) || isListOf(v, 64, isPeer))
		case "connections":
			ok = ok && isInt(v, 1, 65535)
		default:
			return false
		}
	}
	return ok && sides == 1
}

// isMatch is #Match.
func isMatch(value any) bool {
	match, ok := value.(map[string]any)
	for name, v := range match {
		switch name {
		case "tcp", "udp", "sctp":
			ok = isListOf(v, 64, isPorts)
		case "icmp":
			ok = isType(v, icmpTypes) || isListOf(v, 32, func(v any) bool { return isType(v, icmpTypes) })
		case "icmpv6":
			ok = isType(v, icmpv6Types) || isListOf(v, 32, func(v any) bool { return isType(v, icmpv6Types) })
		case "any":
			ok = v == true
		default:
			return false
		}
	}
	return ok && len(match) == 1
}

// isListOf reports whether a value is a list of one element or more.
func isListOf(value any, most int, is func(any) bool) bool {
	list, ok := value.([]any)
	return ok && len(list) > 0 && len(list) <= most && !slices.ContainsFunc(list, func(v any) bool { return !is(v) })
}

// isInt reports whether a value is a whole number within bounds.
func isInt(value any, least, most int) bool {
	text, ok := value.(json.Number)
	n, err := strconv.Atoi(string(text))
	return ok && err == nil && least <= n && n <= most
}

// isPorts is #Ports.
func isPorts(value any) bool {
	text, ok := value.(string)
	if !ok {
		return isInt(value, 1, 65535)
	}
	from, to, ok := strings.Cut(text, "-")
	return ok && isPortText(from) && isPortText(to)
}

// isPortText reports whether a text is a port as people write it, without zeros
// in front.
func isPortText(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && n > 0 && text[0] != '0'
}

// isPeer is #Peer.
func isPeer(value any) bool {
	text, ok := value.(string)
	if !ok {
		return false
	}
	if strings.Contains(text, "/") {
		_, err := netip.ParsePrefix(text)
		return err == nil
	}
	if isAddressText(text) {
		if _, err := netip.ParseAddr(text); err == nil {
			return true
		}
	}
	from, to, ranged := strings.Cut(text, "-")
	return ranged && isAddressText(from) && isAddressText(to) || schema.IsName(text)
}

// isAddressText reports whether a text has the length and the characters of an address, as
// #Peer asks for.
func isAddressText(text string) bool {
	return 2 <= len(text) && len(text) <= 45 && strings.Trim(text, "0123456789ABCDEFabcdef:.") == ""
}

// isType is #ICMPType or #ICMPv6Type.
func isType(value any, names []string) bool {
	text, ok := value.(string)
	return ok && slices.Contains(names, text) || isInt(value, 0, 255)
}

var icmpTypes = []string{
	"echo-reply", "destination-unreachable", "source-quench", "redirect", "echo-request",
	"router-advertisement", "router-solicitation", "time-exceeded", "parameter-problem",
	"timestamp-request", "timestamp-reply", "address-mask-request", "address-mask-reply",
}

var icmpv6Types = []string{
	"destination-unreachable", "packet-too-big", "time-exceeded", "parameter-problem",
	"echo-request", "echo-reply", "router-solicitation", "router-advertisement",
	"neighbour-solicitation", "neighbour-advertisement", "redirect",
}
