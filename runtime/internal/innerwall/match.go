package innerwall

import (
	"fmt"

	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	compiled "github.com/sbx-dev/sbx/compiler/firewall/nftables"
)

// field is how the kernel reads a field: size bytes of a header or, where there is
// none, what key names.
type field struct {
	size   uint32
	header expr.PayloadBase
	offset uint32
	other  func(register uint32) expr.Any // reads what is in no header
}

func inLink(offset, size uint32) field { return field{size, expr.PayloadBaseLLHeader, offset, nil} }

func inNetwork(offset, size uint32) field {
	return field{size, expr.PayloadBaseNetworkHeader, offset, nil}
}

func inTransport(offset, size uint32) field {
	return field{size, expr.PayloadBaseTransportHeader, offset, nil}
}

func ofMeta(key expr.MetaKey, size uint32) field {
	return field{size: size, other: func(r uint32) expr.Any { return &expr.Meta{Key: key, Register: r} }}
}

func ofConnection(key expr.CtKey, size uint32) field {
	return field{size: size, other: func(r uint32) expr.Any { return &expr.Ct{Key: key, Register: r} }}
}

// fields are where the fields stand: in Ethernet's header, in ARP's (RFC 826), IPv4's
// (RFC 791) and IPv6's (RFC 8200), and at the beginning of what these carry. They are
// read as `nft --debug=netlink` reads them.
var fields = map[compiled.Field]field{
	compiled.InDevice:    ofMeta(expr.MetaKeyIIFNAME, unix.IFNAMSIZ),
	compiled.OutDevice:   ofMeta(expr.MetaKeyOIFNAME, unix.IFNAMSIZ),
	compiled.EtherSource: inLink(6, 6),
	compiled.EtherType:   inLink(12, 2),
	compiled.ARPHardware: inNetwork(0, 2),
	compiled.ARPProtocol: inNetwork(2, 2),
	compiled.ARPHardLen:  inNetwork(4, 1),
	compiled.ARPProtoLen: inNetwork(5, 1),
	compiled.ARPSource:   inNetwork(8, 6),
	compiled.ARPSourceIP: inNetwork(14, 4),
	compiled.Protocol:    ofMeta(expr.MetaKeyL4PROTO, 1),
	compiled.Source4:     inNetwork(12, 4),
	compiled.Target4:     inNetwork(16, 4),
	compiled.Source6:     inNetwork(8, 16),
	compiled.Target6:     inNetwork(24, 16),
	compiled.SourcePort:  inTransport(0, 2),
	compiled.TargetPort:  inTransport(2, 2),
	compiled.Type4:       inTransport(0, 1),
	compiled.Code4:       inTransport(1, 1),
	compiled.Type6:       inTransport(0, 1),
	compiled.Code6:       inTransport(1, 1),
	compiled.CTState:     ofConnection(expr.CtKeySTATE, 4),
	compiled.CTDirection: ofConnection(expr.CtKeyDIRECTION, 1),
}

// read has the kernel read the field into registers from the given one on.
func (f field) read(register uint32) expr.Any {
	if f.other != nil {
		return f.other(register)
	}
	return &expr.Payload{OperationType: expr.PayloadLoad, DestRegister: register, Base: f.header, Offset: f.offset, Len: f.size}
}

// register names the nth word of the registers as the kernel does when it is asked:
// four of them have names of their own.
func register(n uint32) uint32 {
	if n%4 == 0 {
		return unix.NFT_REG_1 + n/4
	}
	return unix.NFT_REG32_00 + n
}

func convertMatch(m compiled.Match, sets map[string][]compiled.Type) ([]expr.Any, error) {
	var reads []expr.Any
	at := uint32(0)
	for _, name := range m.Fields {
		f, known := fields[name]
		if !known {
			return nil, fmt.Errorf("there is no field %q", name)
		}
		reads = append(reads, f.read(register(at)))
		at += (f.size + word - 1) / word
	}
	var asks []expr.Any
	var err error
	switch set, value, states := m.Set != "", m.Value != nil, m.States != nil; {
	case set && !value && !states && !m.Not:
		asks, err = lookup(m, sets)
	case value && !set && !states:
		asks, err = equals(m)
	case states && !set && !value && !m.Not:
		asks, err = hasState(m)
	default:
		err = fmt.Errorf("it asks for %q and not for one thing of them", m.Fields)
	}
	return append(reads, asks...), err
}

func lookup(m compiled.Match, sets map[string][]compiled.Type) ([]expr.Any, error) {
	types, there := sets[m.Set]
	if !there || len(types) != len(m.Fields) {
		return nil, fmt.Errorf("%q cannot be looked up in the set %q, which has %q", m.Fields, m.Set, types)
	}
	for n, t := range types {
		if int(fields[m.Fields[n]].size) != t.Size() {
			return nil, fmt.Errorf("%q has not the size of %s", m.Fields[n], t)
		}
	}
	return []expr.Any{&expr.Lookup{SourceRegister: register(0), SetName: m.Set}}, nil
}

func equals(m compiled.Match) ([]expr.Any, error) {
	f := fields[m.Fields[0]]
	value := m.Value
	if f.size == unix.IFNAMSIZ && len(value) < unix.IFNAMSIZ && len(m.Fields) == 1 { // a name is filled up
		value = append(append([]byte{}, value...), make([]byte, unix.IFNAMSIZ-len(value))...)
	}
	if len(m.Fields) != 1 || len(value) != int(f.size) {
		return nil, fmt.Errorf("%x is no value of %q", m.Value, m.Fields)
	}
	op := expr.CmpOpEq
	if m.Not {
		op = expr.CmpOpNeq
	}
	return []expr.Any{&expr.Cmp{Op: op, Register: register(0), Data: value}}, nil
}

// states are the bits by which the kernel tells states of connections.
var states = map[compiled.State]uint32{
	compiled.New:         expr.CtStateBitNEW,
	compiled.Established: expr.CtStateBitESTABLISHED,
	compiled.Related:     expr.CtStateBitRELATED,
}

func hasState(m compiled.Match) ([]expr.Any, error) {
	if len(m.Fields) != 1 || m.Fields[0] != compiled.CTState {
		return nil, fmt.Errorf("%q has no states", m.Fields)
	}
	var mask uint32
	for _, s := range m.States {
		bit, known := states[s]
		if !known {
			return nil, fmt.Errorf("there is no state %q", s)
		}
		mask |= bit
	}
	none := make([]byte, 4)
	return []expr.Any{
		&expr.Bitwise{SourceRegister: register(0), DestRegister: register(0), Len: 4, Mask: binaryutil.NativeEndian.PutUint32(mask), Xor: none},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: register(0), Data: none},
	}, nil
}
