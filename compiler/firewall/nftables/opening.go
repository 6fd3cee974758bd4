package nftables

import (
	"encoding/binary"

	"github.com/sbx-dev/sbx/compiler/firewall/space"
)

// Lookup asks whether a set has an element with these values of its fields.
type Lookup struct {
	Set    string
	Fields [][]byte
}

// Opening are the lookups of a wall by which a packet of IP passes that opens a
// conversation, or is an error about one: it does where any of them finds something, and
// the interface's own end of it is right.
func Opening(p space.Packet) []Lookup {
	way, _, f, remote := ends(p)
	any := Lookup{byAny + way + f.suffix, [][]byte{remote, {p.Protocol}}}
	if p.Protocol == f.icmp {
		message := [][]byte{remote, {p.Type}, {p.Code}}
		return []Lookup{any, {asks + way + f.suffix, message}, {faults + way + f.suffix, message}}
	}
	return []Lookup{any, {byPort + way + f.suffix, [][]byte{remote, binary.BigEndian.AppendUint16(nil, p.DstPort), {p.Protocol}}}}
}

// Answering are those by which it would answer a conversation that the other side opens.
func Answering(p space.Packet) []Lookup {
	_, back, f, remote := ends(p)
	return []Lookup{
		{byAny + back + f.suffix, [][]byte{remote, {p.Protocol}}},
		{byPort + back + f.suffix, [][]byte{remote, binary.BigEndian.AppendUint16(nil, p.SrcPort), {p.Protocol}}},
	}
}

func ends(p space.Packet) (way, back string, f family, remote []byte) {
	f = ipv4
	if space.KindOf(p.EtherType) == space.KindV6 {
		f = ipv6
	}
	if p.In {
		return wayIn, wayOut, f, p.Src.AsSlice()
	}
	return wayOut, wayIn, f, p.Dst.AsSlice()
}
