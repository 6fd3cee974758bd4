package nftables

import (
	"bytes"
	"fmt"
	"net"
	"strings"

	"github.com/sbx-dev/sbx/compiler/firewall/space"
)

// Text writes the table for people, in the language of nft(8), with the profile's lines
// as comments. What sbx loads is the table itself.
func (t *Table) Text() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# The inner wall of %s. Written by sbx for people to read: sbx loads it by itself.\n", t.Device)
	fmt.Fprintf(&b, "table bridge %s {\n", t.Name)
	for i := range t.Sets {
		t.Sets[i].write(&b)
	}
	for i := range t.Chains {
		t.Chains[i].write(&b)
	}
	b.WriteString("}\n")
	return b.Bytes()
}

func (s *Set) write(b *bytes.Buffer) {
	types := make([]string, len(s.Types))
	for i, t := range s.Types {
		types[i] = string(t)
	}
	fmt.Fprintf(b, "\tset %s {\n\t\ttype %s\n\t\tflags interval\n", s.Name, strings.Join(types, " . "))
	if len(s.Elements) > 0 {
		b.WriteString("\t\telements = {\n")
		for _, e := range s.Elements {
			fmt.Fprintf(b, "\t\t\t%s,", strings.Join(s.key(e), " . "))
			if len(e.Lines) > 0 {
				fmt.Fprintf(b, " # %s", strings.Join(e.Lines, ", "))
			}
			b.WriteString("\n")
		}
		b.WriteString("\t\t}\n")
	}
	b.WriteString("\t}\n")
}

// key is an element's intervals as nft writes them.
func (s *Set) key(e Element) []string {
	out := make([]string, len(e.Key))
	for i, k := range e.Key {
		out[i] = s.Types[i].interval(k)
	}
	return out
}

// protocolNames are those that elements of sets have.
var protocolNames = map[byte]string{space.ProtoTCP: "tcp", space.ProtoUDP: "udp", space.ProtoSCTP: "sctp", space.ProtoICMP: "icmp", space.ProtoICMPv6: "ipv6-icmp"}

// interval writes an interval of the type.
func (t Type) interval(i Interval) string {
	switch t {
	case IPv4Type, IPv6Type:
		return space.Range{From: address(i.Low), To: address(i.High)}.String()
	case ProtocolType:
		if name := protocolNames[i.Low[0]]; name != "" && bytes.Equal(i.Low, i.High) {
			return name
		}
	}
	low, high := number(i.Low).Lo, number(i.High).Lo
	if low == high {
		return fmt.Sprint(low)
	}
	return fmt.Sprintf("%d-%d", low, high)
}

func (c *Chain) write(b *bytes.Buffer) {
	fmt.Fprintf(b, "\tchain %s {\n", c.Name)
	if c.Hook != NoHook {
		fmt.Fprintf(b, "\t\ttype filter hook %s priority 0; policy accept;\n", c.Hook)
	}
	for _, r := range c.Rules {
		fmt.Fprintf(b, "\t\t%s\n", r)
	}
	b.WriteString("\t}\n")
}

// String writes the rule as nft does. What a rule logs, and to which group, is said
// when it is loaded.
func (r Rule) String() string {
	var words []string
	for _, m := range r.Match {
		words = append(words, m.String())
	}
	if r.Log {
		words = append(words, "counter")
	}
	words = append(words, string(r.Verdict))
	if r.Verdict == Goto {
		words = append(words, r.Chain)
	}
	return strings.Join(words, " ")
}

// String writes the match as nft does.
func (m Match) String() string {
	fields := make([]string, len(m.Fields))
	for i, f := range m.Fields {
		fields[i] = string(f)
	}
	words := []string{strings.Join(fields, " . ")}
	if m.Not {
		words = append(words, "!=")
	}
	switch {
	case m.Set != "":
		return strings.Join(append(words, "@"+m.Set), " ")
	case len(m.States) > 0:
		states := make([]string, len(m.States))
		for i, s := range m.States {
			states[i] = string(s)
		}
		return strings.Join(append(words, strings.Join(states, ",")), " ")
	}
	return strings.Join(append(words, m.Fields[0].value(m.Value)), " ")
}

// value writes one value of the field.
func (f Field) value(v []byte) string {
	switch f {
	case InDevice, OutDevice:
		return `"` + string(v) + `"`
	case EtherSource, ARPSource:
		return net.HardwareAddr(v).String()
	case EtherType, ARPProtocol:
		return map[uint64]string{space.EtherIPv4: "ip", space.EtherIPv6: "ip6", space.EtherARP: "arp"}[number(v).Lo]
	case ARPSourceIP:
		return address(v).String()
	case CTDirection:
		return map[byte]string{Original: "original", Reply: "reply"}[v[0]]
	}
	if t := types[f]; t != "" {
		return t.interval(Interval{v, v})
	}
	return fmt.Sprint(number(v).Lo)
}
