// Package nftables compiles a resolved allow-list into the inner wall of an
// interface: one table of nftables in the family bridge, which knows connections
// wherever a packet comes from, and proves that it lets through what the list says
// and nothing more.
//
// A Table is all of it, as data: what is proven is what is loaded. Whoever loads it
// translates fields, sets and rules one by one and decides nothing; so does the text
// for people (Text) and the model that the proof looks at (clauses).
//
// The form was tried with packets on Linux 6.1 and 6.12. What it takes care of:
//
//   - Two hooks, prerouting by the incoming and postrouting by the outgoing device,
//     see bridged packets, the host's own and routed ones.
//   - Priority 0, behind conntrack's own −200: before it, no packet has a state.
//   - `ct state established` never accepts alone. The host's IP layer confirms a
//     flow before the bridge drops its first packet, and the sandbox could then
//     answer what never arrived. So an answer must be the mirror of what may be
//     opened, too, and go the other way than its flow.
//   - EtherTypes are told apart first, so that no tagged frame is taken for IP.
//   - The chains follow from the interface alone. The rules of a profile stand in
//     the sets, so changed rules are changed elements, which replaces nothing and
//     loses no packet.
package nftables

// Table is the inner wall of one interface.
//
// As JSON (Encode, Decode), it is a document of a bundle.
type Table struct {
	Name   string  `json:"name"`   // in nftables' family bridge; the nwfilter's name
	Device string  `json:"device"` // the host's end of the interface
	Sets   []Set   `json:"sets"`
	Chains []Chain `json:"chains"`
}

// Set is a named set of intervals of concatenated fields: a lookup matches where each
// field lies in the interval of its type, in one of the elements. There are none of a
// single field: the kernel keeps those in another way.
type Set struct {
	Name     string    `json:"name"`
	Types    []Type    `json:"types"`    // what the fields of a lookup hold: two or more
	Elements []Element `json:"elements"` // no two overlap; ascending
}

// Element is one product of intervals.
type Element struct {
	Key   []Interval `json:"key"`             // one for each of the set's types
	Lines []string   `json:"lines,omitempty"` // who asks for it, for people: "network.allow[0] web.cue:12:3"
}

// Interval is inclusive. Both ends are in network byte order and have the length of
// their type. As text it is hex, "0050" or "0050-005a".
type Interval struct{ Low, High Value }

// Value is what a field holds, in network byte order. As text it is hex.
type Value []byte

// Chain is a base chain where it has a hook, and else one that rules go to.
type Chain struct {
	Name  string `json:"name"`
	Hook  Hook   `json:"hook,omitempty"` // a base chain has the type filter, priority 0 and the policy accept
	Rules []Rule `json:"rules"`
}

// Hook is where the kernel enters a base chain.
type Hook string

// The hooks.
const (
	NoHook      Hook = ""
	Prerouting  Hook = "prerouting"
	Postrouting Hook = "postrouting"
)

// Rule does something with the packets that all of its matches match.
type Rule struct {
	Match   []Match `json:"match,omitempty"`
	Log     bool    `json:"log,omitempty"` // tell what is dropped
	Verdict Verdict `json:"verdict"`
	Chain   string  `json:"chain,omitempty"` // where a Goto leads
}

// Verdict is what a rule does.
type Verdict string

// The verdicts. What a chain that was gone to does not decide, the policy of the
// base chain does.
const (
	Accept Verdict = "accept"
	Drop   Verdict = "drop"
	Goto   Verdict = "goto"
)

// Match asks one thing of a packet: exactly one of Set, Value and States is given.
type Match struct {
	Fields []Field `json:"fields"`
	Not    bool    `json:"not,omitempty"`    // it matches where the one field has another value
	Set    string  `json:"set,omitempty"`    // the fields lie in the named set
	Value  Value   `json:"value,omitempty"`  // the one field has the value
	States []State `json:"states,omitempty"` // `ct state`, the only field, is one of these
}

// State is a state of a connection, as nft names it.
type State string

// The states that rules ask for.
const (
	New         State = "new"
	Established State = "established"
	Related     State = "related"
)

// Directions of `ct direction`.
const (
	Original = 0
	Reply    = 1
)

// Field is a part of a packet or what the kernel knows of it, as nft writes it. The
// fields of a header match only packets that have it; what asks for ports, types or
// codes asks for the protocol too, and all but `iifname` and `oifname` of a frame
// stand behind a match on its EtherType.
type Field string

// The fields.
const (
	InDevice    Field = "iifname"
	OutDevice   Field = "oifname"
	EtherSource Field = "ether saddr"
	EtherType   Field = "ether type"
	ARPHardware Field = "arp htype"
	ARPProtocol Field = "arp ptype"
	ARPHardLen  Field = "arp hlen"
	ARPProtoLen Field = "arp plen"
	ARPSource   Field = "arp saddr ether"
	ARPSourceIP Field = "arp saddr ip"
	Protocol    Field = "meta l4proto"
	Source4     Field = "ip saddr"
	Target4     Field = "ip daddr"
	Source6     Field = "ip6 saddr"
	Target6     Field = "ip6 daddr"
	SourcePort  Field = "th sport"
	TargetPort  Field = "th dport"
	Type4       Field = "icmp type"
	Code4       Field = "icmp code"
	Type6       Field = "icmpv6 type"
	Code6       Field = "icmpv6 code"
	CTState     Field = "ct state"
	CTDirection Field = "ct direction"
)

// Type is what a field holds, as nft names it.
type Type string

// The types that sets have.
const (
	ProtocolType Type = "inet_proto"
	IPv4Type     Type = "ipv4_addr"
	IPv6Type     Type = "ipv6_addr"
	PortType     Type = "inet_service"
	ICMPType     Type = "icmp_type"
	ICMPCode     Type = "icmp_code"
	ICMPv6Type   Type = "icmpv6_type"
	ICMPv6Code   Type = "icmpv6_code"
)

// types is what each field holds that can be looked up in a set.
var types = map[Field]Type{
	Protocol: ProtocolType,
	Source4:  IPv4Type, Target4: IPv4Type, Source6: IPv6Type, Target6: IPv6Type,
	SourcePort: PortType, TargetPort: PortType,
	Type4: ICMPType, Code4: ICMPCode, Type6: ICMPv6Type, Code6: ICMPv6Code,
}

// lengths is how many bytes a value has of each field that is in no set; a device's name
// has up to 15.
var lengths = map[Field]int{EtherSource: 6, EtherType: 2, ARPHardware: 2, ARPProtocol: 2, ARPHardLen: 1, ARPProtoLen: 1, ARPSource: 6, ARPSourceIP: 4, CTDirection: 1}

// sizes is how many bytes a value of each type has.
var sizes = map[Type]int{ProtocolType: 1, IPv4Type: 4, IPv6Type: 16, PortType: 2, ICMPType: 1, ICMPCode: 1, ICMPv6Type: 1, ICMPv6Code: 1}

// Size is how many bytes a value of the type has; 0 for what is no type.
func (t Type) Size() int { return sizes[t] }
