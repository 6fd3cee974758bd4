package command

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/sbx-dev/sbx/schema"
)

var errRule = errors.New(`want "in" or "out", a protocol with its ports, and perhaps whom: "out tcp:443 to 192.0.2.7"`)

// parseRule reads a rule of --allow: DIRECTION PROTOCOL[:PORT,…] [to|from
// ADDRESS,…]. The schema checks the parts.
func parseRule(text string) (rule schema.Rule, err error) {
	words := strings.Fields(text)
	if len(words) != 2 && len(words) != 4 {
		return rule, errRule
	}
	match, err := parseMatch(words[1])
	if err != nil {
		return rule, err
	}
	preposition, peers := "from", &rule.From
	switch words[0] {
	case "in":
		rule.In = match
	case "out":
		rule.Out = match
		preposition, peers = "to", &rule.To
	default:
		return rule, errRule
	}
	if len(words) == 4 {
		if words[2] != preposition {
			return rule, fmt.Errorf("%q goes with %q", preposition, words[0])
		}
		*peers = strings.Split(words[3], ",")
	}
	return rule, nil
}

func parseMatch(word string) (*schema.Match, error) {
	protocol, list, _ := strings.Cut(word, ":")
	var values schema.List
	if list != "" {
		values = strings.Split(list, ",")
	}
	m := new(schema.Match)
	var err error
	switch protocol {
	case "tcp":
		m.TCP, err = parsePorts(values)
	case "udp":
		m.UDP, err = parsePorts(values)
	case "sctp":
		m.SCTP, err = parsePorts(values)
	case "icmp":
		m.ICMP = values
	case "icmpv6":
		m.ICMPv6 = values
	case "any":
		m.Any = true
	default:
		return nil, fmt.Errorf("%q is no protocol: want tcp, udp, sctp, icmp, icmpv6 or any", protocol)
	}
	return m, err
}

func parsePorts(list []string) ([]schema.Ports, error) {
	if len(list) == 0 {
		return nil, errors.New(`ports are missing: "tcp:443", "tcp:80,8000-8010"`)
	}
	ports := make([]schema.Ports, len(list))
	for i, text := range list {
		data := []byte(text)
		if strings.Contains(text, "-") {
			data = strconv.AppendQuote(nil, text)
		}
		if err := ports[i].UnmarshalJSON(data); err != nil {
			return nil, err
		}
	}
	return ports, nil
}
