package nftables

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/sbx-dev/sbx/compiler/firewall/space"
)

// Wall is a table as the kernel carries it out.
type Wall struct {
	table   *Table
	clauses map[space.Slice][]space.Clause // in the order in which the kernel asks
	steps   []Step
}

// Step is what the wall did with a packet.
type Step struct {
	Accept bool
	Rule   string   // the rule that decided, as nft writes it; "" for a base chain's policy
	Lines  []string // of the profile, that ask for the element that matched
}

// Eval decides on a packet, from wherever it comes.
func (w *Wall) Eval(p space.Packet) Step {
	s, at := p.Place()
	for _, c := range w.clauses[s] {
		if c.Box.Has(&at) {
			return w.steps[c.Rule]
		}
	}
	return Step{Accept: true}
}

// Model models a table. The error says what of it cannot be modelled exactly.
func Model(t *Table) (*Wall, error) {
	w := &Wall{table: t, clauses: map[space.Slice][]space.Clause{}}
	for _, s := range space.AllSlices() {
		for _, c := range t.Chains {
			if c.Hook == NoHook {
				continue
			}
			if err := c.asksDevice(); err != nil {
				return nil, fmt.Errorf("table %s, chain %s: %w", t.Name, c.Name, err)
			}
			m := modelling{Wall: w, slice: s}
			if err := m.walk(c.Name, view{space.Everything(), everyState}, 0); err != nil {
				return nil, fmt.Errorf("table %s, chain %s: %w", t.Name, c.Name, err)
			}
		}
	}
	return w, nil
}

// asksDevice refuses a base chain that meets other packets than those of the device: the
// model has each packet meet one of them.
func (c *Chain) asksDevice() error {
	want := map[Hook]Field{Prerouting: InDevice, Postrouting: OutDevice}[c.Hook]
	for _, r := range c.Rules {
		if len(r.Match) == 0 || !slices.Equal(r.Match[0].Fields, []Field{want}) || r.Match[0].Not {
			return fmt.Errorf("%s: it does not ask for its device first", r)
		}
	}
	return nil
}

// view is the packets that have come to a rule.
type view struct {
	box    space.Box
	states uint // a bit for each of space's
}

const everyState = 1<<space.NumStates - 1

// modelling walks the chains for one space.
type modelling struct {
	*Wall
	slice space.Slice
	lines []string // of the element that the walk is at
}

func (t *Table) chain(name string) *Chain {
	for i := range t.Chains {
		if t.Chains[i].Name == name {
			return &t.Chains[i]
		}
	}
	return nil
}

func (t *Table) set(name string) *Set {
	for i := range t.Sets {
		if t.Sets[i].Name == name {
			return &t.Sets[i]
		}
	}
	return nil
}

// walk adds what a chain does with the packets of a view.
func (m *modelling) walk(name string, at view, depth int) error {
	c := m.table.chain(name)
	if c == nil || depth > len(m.table.Chains) {
		return fmt.Errorf("a rule goes to chain %s, which is missing or leads back", name)
	}
	for i := range c.Rules {
		r := &c.Rules[i]
		err := m.matches(r, 0, at, func(at view) error {
			if r.Verdict != Goto {
				return m.decide(at, Step{r.Verdict == Accept, name + ": " + r.String(), m.lines})
			}
			if err := m.walk(r.Chain, at, depth+1); err != nil {
				return err
			}
			return m.decide(at, Step{Accept: true})
		})
		if err != nil {
			return fmt.Errorf("%s: %s: %w", name, r, err)
		}
	}
	return nil
}

// decide adds one clause for each run of states.
func (m *modelling) decide(at view, s Step) error {
	m.steps = append(m.steps, s)
	c := space.Clause{Box: at.box, Verdict: space.Drop, Rule: len(m.steps) - 1}
	if s.Accept {
		c.Verdict = space.Accept
	}
	if at.states == everyState {
		m.clauses[m.slice] = append(m.clauses[m.slice], c)
		return nil
	}
	for from := range space.NumStates {
		if at.states>>from&1 == 0 || from > 0 && at.states>>(from-1)&1 == 1 {
			continue
		}
		to := from
		for to+1 < space.NumStates && at.states>>(to+1)&1 == 1 {
			to++
		}
		c.Box[space.DimState] = space.Span(uint64(from), uint64(to))
		m.clauses[m.slice] = append(m.clauses[m.slice], c)
	}
	return nil
}

// matches visits what of a view a rule's matches from the nth on leave.
func (m *modelling) matches(r *Rule, n int, at view, visit func(view) error) error {
	if n == len(r.Match) {
		return visit(at)
	}
	next := func(at view) error { return m.matches(r, n+1, at, visit) }
	match := &r.Match[n]
	switch {
	case match.Set != "":
		return m.lookup(match, at, next)
	case len(match.Fields) != 1:
		return fmt.Errorf("a value is of one field")
	case match.Fields[0] == CTState:
		at.states &= tracked(match.States)
		if at.states == 0 {
			return nil
		}
		return next(at)
	case match.Fields[0] == CTDirection:
		return m.direction(match, at, next)
	}
	return m.value(match, at, next)
}

func tracked(states []State) (bits uint) {
	for _, s := range states {
		switch s {
		case New:
			bits |= 1 << space.New
		case Established:
			bits |= 1<<space.Original | 1<<space.Reply
		case Related:
			bits |= 1 << space.Related
		}
	}
	return bits
}

// direction keeps the packets of one direction of their flow. The model knows none of
// related packets.
func (m *modelling) direction(match *Match, at view, next func(view) error) error {
	if at.states&^uint(1<<space.New|1<<space.Original|1<<space.Reply) != 0 || len(match.Value) != 1 || match.Not {
		return fmt.Errorf("a direction is modelled of new and established flows alone")
	}
	if match.Value[0] == Reply {
		at.states &= 1 << space.Reply
	} else {
		at.states &^= 1 << space.Reply
	}
	if at.states == 0 {
		return nil
	}
	return next(at)
}

// lookup keeps the packets of each element.
func (m *modelling) lookup(match *Match, at view, next func(view) error) error {
	set := m.table.set(match.Set)
	if set == nil || len(set.Types) != len(match.Fields) || match.Not {
		return fmt.Errorf("set %s is missing, or has other fields", match.Set)
	}
	for i, f := range match.Fields {
		if types[f] != set.Types[i] || types[f] == "" {
			return fmt.Errorf("set %s has the type %s for %s", match.Set, set.Types[i], f)
		}
	}
	outer := m.lines
	defer func() { m.lines = outer }()
	for _, e := range set.Elements {
		m.lines = e.Lines
		inside, err := m.within(match.Fields, e.Key, at)
		if err != nil {
			return err
		}
		if inside == nil {
			continue
		}
		if err := next(*inside); err != nil {
			return err
		}
	}
	return nil
}

// value keeps the packets in which one field has the value, or has another.
func (m *modelling) value(match *Match, at view, next func(view) error) error {
	inside, err := m.within(match.Fields, []Interval{{match.Value, match.Value}}, at)
	if err != nil {
		return err
	}
	if !match.Not {
		if inside == nil {
			return nil
		}
		return next(*inside)
	}
	if match.Fields[0] != EtherSource {
		return fmt.Errorf("another value is modelled of the source's MAC address alone")
	}
	all := at.box[space.DimSrcMAC]
	value := inside.box[space.DimSrcMAC].Low
	if value != (space.Value{}) {
		below := at
		if below.cut(space.DimSrcMAC, space.Interval{Low: all.Low, High: space.Before(value)}) {
			if err := next(below); err != nil {
				return err
			}
		}
	}
	above, ok := value.Next()
	if !ok || !at.cut(space.DimSrcMAC, space.Interval{Low: above, High: all.High}) {
		return nil
	}
	return next(at)
}

// cut bounds one dimension; ok is false when nothing is left.
func (v *view) cut(d int, to space.Interval) (ok bool) {
	b := &v.box[d]
	if to.Low.Compare(b.Low) > 0 {
		b.Low = to.Low
	}
	if to.High.Compare(b.High) < 0 {
		b.High = to.High
	}
	return b.Low.Compare(b.High) <= 0
}

// within keeps the packets whose fields lie in the key; nil when none does.
func (m *modelling) within(fields []Field, key []Interval, at view) (*view, error) {
	if len(key) != len(fields) {
		return nil, fmt.Errorf("a key of %d fields for %d", len(key), len(fields))
	}
	// The kernel compares the whole key at once, and ports are modelled of known protocols.
	if i := slices.Index(fields, Protocol); i >= 0 {
		if ok, err := m.field(Protocol, key[i], nil, &at); err != nil || !ok {
			return nil, err
		}
	}
	for i := 0; i < len(fields); i++ {
		f, of := fields[i], key[i]
		if f == Protocol {
			continue
		}
		var code *Interval
		if (f == Type4 || f == Type6) && i+1 < len(fields) {
			i++
			if fields[i] != Code4 && fields[i] != Code6 {
				return nil, fmt.Errorf("behind a type only its code is modelled")
			}
			code = &key[i]
		}
		ok, err := m.field(f, of, code, &at)
		if err != nil || !ok {
			return nil, err
		}
	}
	return &at, nil
}

// field bounds the view by one field; ok is false when no packet matches.
func (m *modelling) field(f Field, of Interval, code *Interval, at *view) (ok bool, err error) {
	if f == InDevice || f == OutDevice {
		if string(of.Low) != m.table.Device {
			return false, fmt.Errorf("%s: another device", f)
		}
		return (f == OutDevice) == m.slice.In, nil
	}
	if n := len(of.Low); n == 0 || n != len(of.High) || n > 8 && n != 16 || code != nil && (len(code.Low) != 1 || len(code.High) != 1) {
		return false, fmt.Errorf("%s has no value of that length", f)
	}
	k := m.slice.Kind
	low, high := number(of.Low), number(of.High)
	in := space.Interval{Low: low, High: high}
	switch f {
	case EtherSource:
		return at.cut(space.DimSrcMAC, in), nil
	case EtherType:
		if kind := space.KindOf(uint16(low.Lo)); kind != space.KindOther || k != space.KindOther {
			return kind == k, nil
		}
		return at.cut(space.DimProto, in), nil
	case ARPHardware, ARPProtocol, ARPHardLen, ARPProtoLen:
		return k == space.KindARP && bytes.Equal(of.Low, wellFormed[f]), nil
	case ARPSource:
		return k == space.KindARP && at.cut(space.DimSrcPort, in), nil
	case ARPSourceIP:
		return k == space.KindARP && at.cut(space.DimSrc, in), nil
	}
	if k != space.KindV4 && k != space.KindV6 {
		return false, fmt.Errorf("%s is asked of what is not IP", f)
	}
	return m.ip(f, in, code, at)
}

// wellFormed is what all messages of ARP have that the model knows.
var wellFormed = map[Field][]byte{ARPHardware: {0, 1}, ARPProtocol: {8, 0}, ARPHardLen: {6}, ARPProtoLen: {4}}

// ip bounds the view by one field of an IP packet.
func (m *modelling) ip(f Field, in space.Interval, code *Interval, at *view) (ok bool, err error) {
	v6 := m.slice.Kind == space.KindV6
	icmp := space.Number(uint64(space.ICMPOf(m.slice.Kind)))
	switch f {
	case Protocol:
		return at.cut(space.DimProto, in), nil
	case Source4, Source6:
		return v6 == (f == Source6) && at.cut(space.DimSrc, in), nil
	case Target4, Target6:
		return v6 == (f == Target6) && at.cut(space.DimDst, in), nil
	case SourcePort, TargetPort:
		if at.box[space.DimProto].Has(icmp) {
			return false, fmt.Errorf("%s is asked of ICMP, too", f)
		}
		d := space.DimDstPort
		if f == SourcePort {
			d = space.DimSrcPort
		}
		return at.cut(d, in), nil
	case Type4, Type6:
		if at.box[space.DimProto] != space.Single(icmp) || v6 != (f == Type6) {
			return false, fmt.Errorf("%s is asked of what is not its protocol", f)
		}
		if code == nil || bytes.Equal(code.Low, []byte{0}) && bytes.Equal(code.High, []byte{0xff}) {
			return at.cut(space.DimDstPort, space.Span(in.Low.Lo<<8, in.High.Lo<<8|0xff)), nil
		}
		if in.Low != in.High {
			return false, fmt.Errorf("codes are modelled of one type alone")
		}
		return at.cut(space.DimDstPort, space.Span(in.Low.Lo<<8|uint64(code.Low[0]), in.Low.Lo<<8|uint64(code.High[0]))), nil
	}
	return false, fmt.Errorf("%s is not modelled", f)
}

// number is a value in network byte order.
func number(b []byte) space.Value {
	if len(b) == 16 {
		return space.AddressValue(address(b))
	}
	var wide [8]byte
	copy(wide[8-len(b):], b)
	return space.Number(binary.BigEndian.Uint64(wide[:]))
}
