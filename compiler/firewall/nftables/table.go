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
type Table struct {
	Name   string // in nftables' family bridge; the nwfilter's name
	Device string // the host's end of the interface
	Sets   []Set
	Chains []Chain
}

// Set is a named set of intervals: a lookup matches where each field lies in the
// interval of its type, in one of the elements.
type Set struct {
	Name     string
	Types    []Type    // what the fields of a lookup hold; more than one are concatenated
	Elements []Element // no two overlap; ascending
}

// Element is one product of intervals.
type Element struct {
	Key   []Interval // one for each of the set's types
	Lines []string   // who asks for it, for people: "network.allow[0] web.cue:12:3"
}

// Interval is inclusive. Both ends are in network byte order and have the length of
// their type.
type Interval struct{ Low, High []byte }

// Chain is a base chain where it has a hook, and else one that rules go to.
type Chain struct {
	Name  string
	Hook  Hook // a base chain has the type filter, priority 0 and the policy accept
	Rules []Rule
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
	Match   []Match
	Log     bool // tell what is dropped
	Verdict Verdict
	Chain   string // where a Goto leads
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
	Fields []Field
	Not    bool    // it matches where what follows does not; of one field alone
	Set    string  // the fields lie in the named set
	Value  []byte  // the one field has the value
	States []State // `ct state`, the only field, is one of these
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
	ARPSourceIP: IPv4Type, Protocol: ProtocolType,
	Source4: IPv4Type, Target4: IPv4Type, Source6: IPv6Type, Target6: IPv6Type,
	SourcePort: PortType, TargetPort: PortType,
	Type4: ICMPType, Code4: ICMPCode, Type6: ICMPv6Type, Code6: ICMPv6Code,
}

// sizes is how many bytes a value of each type has.
var sizes = map[Type]int{ProtocolType: 1, IPv4Type: 4, IPv6Type: 16, PortType: 2, ICMPType: 1, ICMPCode: 1, ICMPv6Type: 1, ICMPv6Code: 1}

// Size is how many bytes a value of the type has; 0 for what is no type.
func (t Type) Size() int { return sizes[t] }
