package nftables

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
)

// Encode writes the table as JSON, an element or rule a line: the same bytes for the same
// table.
func (t *Table) Encode() ([]byte, error) {
	var b bytes.Buffer
	w := writer{json.NewEncoder(&b), &b, nil}
	w.e.SetEscapeHTML(false)
	w.head("{", "name", t.Name, "device", t.Device)
	w.text(",\n\"sets\": [")
	for i, s := range t.Sets {
		w.head(after(i), "name", s.Name, "types", s.Types)
		w.text(`, "elements": [`)
		for n, e := range s.Elements {
			w.text(line(n))
			w.value(e)
		}
		w.text("]}")
	}
	w.text("],\n\"chains\": [")
	for i, c := range t.Chains {
		w.head(after(i), "name", c.Name, "hook", c.Hook)
		w.text(`, "rules": [`)
		for n, r := range c.Rules {
			w.text(line(n))
			w.value(r)
		}
		w.text("]}")
	}
	w.text("]}\n")
	if w.err != nil {
		return nil, fmt.Errorf("table %s: %w", t.Name, w.err)
	}
	return b.Bytes(), nil
}

// writer writes JSON whose lines are the table's.
type writer struct {
	e   *json.Encoder
	b   *bytes.Buffer
	err error
}

func (w *writer) text(s string) { w.b.WriteString(s) }

func (w *writer) value(v any) {
	if err := w.e.Encode(v); err != nil {
		w.err = err
		return
	}
	w.b.Truncate(w.b.Len() - 1) // the end of a line, which Encode has written
}

// head opens an object with two fields.
func (w *writer) head(opening, name string, value any, second string, also any) {
	w.text(opening + `"` + name + `": `)
	w.value(value)
	w.text(`, "` + second + `": `)
	w.value(also)
}

// after opens the nth object of a list.
func after(n int) string { return line(n) + "{" }

// line begins the nth line of a list.
func line(n int) string {
	if n == 0 {
		return "\n"
	}
	return ",\n"
}

// Decode reads what Encode has written, and refuses what is no table of its form.
func Decode(data []byte) (*Table, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	t := &Table{}
	if err := d.Decode(t); err != nil {
		return nil, fmt.Errorf("no table of nftables: %w", err)
	}
	if d.More() {
		return nil, fmt.Errorf("no table of nftables: something stands behind it")
	}
	if err := t.check(); err != nil {
		return nil, fmt.Errorf("no table of nftables: %w", err)
	}
	return t, nil
}

// MarshalText writes the value as hex.
func (v Value) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(v)), nil }

// UnmarshalText reads hex.
func (v *Value) UnmarshalText(text []byte) (err error) {
	*v, err = hex.DecodeString(string(text))
	return err
}

// MarshalText writes both ends, or one where they are the same.
func (i Interval) MarshalText() ([]byte, error) {
	text := hex.EncodeToString(i.Low)
	if !bytes.Equal(i.Low, i.High) {
		text += "-" + hex.EncodeToString(i.High)
	}
	return []byte(text), nil
}

// UnmarshalText reads what MarshalText has written.
func (i *Interval) UnmarshalText(text []byte) error {
	low, high, ranged := strings.Cut(string(text), "-")
	if !ranged {
		high = low
	}
	if err := i.Low.UnmarshalText([]byte(low)); err != nil {
		return err
	}
	return i.High.UnmarshalText([]byte(high))
}

// What things may be called: all that the kernel and nft take, without a need to quote.
func isTableName(name string) bool  { return isName(name, 128, ".-") }
func isDeviceName(name string) bool { return isName(name, 15, "") }
func isPartName(name string) bool   { return isName(name, 31, "_") }

// isName says whether a name is so long at most, has small letters, digits and the marks
// alone, and begins with a letter.
func isName(name string, most int, marks string) bool {
	return name != "" && len(name) <= most && 'a' <= name[0] && name[0] <= 'z' &&
		strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789"+marks) == ""
}

// check says what of a table is not of the form that Compile writes.
func (t *Table) check() error {
	if !isTableName(t.Name) || !isDeviceName(t.Device) {
		return fmt.Errorf("it cannot be called %q, or its device %q", t.Name, t.Device)
	}
	names, elements := map[string]bool{}, 0
	for i := range t.Sets {
		s := &t.Sets[i]
		if names[s.Name] || !isPartName(s.Name) {
			return fmt.Errorf("a set cannot be called %q, or another is", s.Name)
		}
		names[s.Name] = true
		if err := s.check(); err != nil {
			return fmt.Errorf("set %s: %w", s.Name, err)
		}
		elements += len(s.Elements)
	}
	if elements > MaxElements {
		return fmt.Errorf("it has %d elements, of which sbx takes %d", elements, MaxElements)
	}
	clear(names)
	for i := range t.Chains {
		c := &t.Chains[i]
		if names[c.Name] || !isPartName(c.Name) {
			return fmt.Errorf("a chain cannot be called %q, or another is", c.Name)
		}
		names[c.Name] = true
		for _, r := range c.Rules {
			if err := t.checkRule(r); err != nil {
				return fmt.Errorf("chain %s: %w", c.Name, err)
			}
		}
	}
	return nil
}

func (s *Set) check() error {
	if len(s.Types) < 2 || len(s.Types) > 5 {
		return fmt.Errorf("it has %d types", len(s.Types))
	}
	for _, t := range s.Types {
		if t.Size() == 0 {
			return fmt.Errorf("%q is no type", t)
		}
	}
	for _, e := range s.Elements {
		if len(e.Key) != len(s.Types) {
			return fmt.Errorf("an element has %d fields", len(e.Key))
		}
		for n, k := range e.Key {
			if size := s.Types[n].Size(); len(k.Low) != size || len(k.High) != size || bytes.Compare(k.Low, k.High) > 0 {
				return fmt.Errorf("%x-%x is no interval of %s", k.Low, k.High, s.Types[n])
			}
		}
	}
	return nil
}

func (t *Table) checkRule(r Rule) error {
	switch {
	case r.Verdict != Accept && r.Verdict != Drop && r.Verdict != Goto:
		return fmt.Errorf("%q is no verdict", r.Verdict)
	case (r.Verdict == Goto) != (r.Chain != "") || r.Chain != "" && t.chain(r.Chain) == nil:
		return fmt.Errorf("a rule goes to chain %q", r.Chain)
	case r.Log && r.Verdict != Drop:
		return fmt.Errorf("what is not dropped is told")
	}
	for _, m := range r.Match {
		if err := t.checkMatch(m); err != nil {
			return err
		}
	}
	return nil
}

func (t *Table) checkMatch(m Match) error {
	if m.Set != "" {
		s := t.set(m.Set)
		if s == nil || len(s.Types) != len(m.Fields) || m.Not || m.Value != nil || m.States != nil {
			return fmt.Errorf("a rule looks up in the set %q, which is missing or has other fields", m.Set)
		}
		for n, f := range m.Fields {
			if types[f] == "" || types[f] != s.Types[n] {
				return fmt.Errorf("%q cannot be looked up in the set %s", f, m.Set)
			}
		}
		return nil
	}
	if len(m.Fields) != 1 {
		return fmt.Errorf("a rule compares %d fields with a value", len(m.Fields))
	}
	f := m.Fields[0]
	if f == CTState {
		for _, s := range m.States {
			if s != New && s != Established && s != Related {
				return fmt.Errorf("%q is no state", s)
			}
		}
		if len(m.States) == 0 || m.Value != nil || m.Not {
			return fmt.Errorf("a rule asks for no state")
		}
		return nil
	}
	want := lengths[f]
	switch {
	case f == InDevice || f == OutDevice:
		want = len(t.Device)
	case types[f] != "":
		want = types[f].Size()
	}
	if want == 0 || len(m.Value) != want || m.States != nil {
		return fmt.Errorf("a rule compares %q with %x", f, m.Value)
	}
	return nil
}
