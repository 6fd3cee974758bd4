package innerwall

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/nftables/expr"
)

// Way says which way a packet went that was told with this prefix, and which table
// dropped it; ok is false for what no wall says.
func Way(prefix string) (table string, in, ok bool) {
	table, name, _ := strings.Cut(prefix, " ")
	switch strings.TrimPrefix(name, earlyPrefix) {
	case "refused_in":
		return table, true, true
	case "refused_out":
		return table, false, true
	}
	return "", false, false
}

// Counts are how many packets a wall has dropped since it was loaded.
type Counts struct{ In, Out uint64 }

// Dropped reads a wall's counts, and what its sets hold now. Where there is no wall of
// that name, both are nil.
func Dropped(name string) (*Counts, *Held, error) {
	conn, err := connect()
	if isAbsent(err) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("the inner wall %s: %w", name, err)
	}
	defer conn.CloseLasting()
	have, err := read(conn, name)
	if err != nil {
		return nil, nil, fmt.Errorf("the inner wall %s: %w", name, err)
	}
	if have == nil {
		return nil, nil, nil
	}
	counts := new(Counts)
	for _, c := range have.chains {
		_, in, ok := Way(name + " " + c.name)
		if !ok {
			continue
		}
		for _, e := range slices.Concat(c.rules...) {
			counter, is := e.(*expr.Counter)
			switch {
			case !is:
			case in:
				counts.In += counter.Packets
			default:
				counts.Out += counter.Packets
			}
		}
	}
	return counts, &Held{have.sets}, nil
}

// Held is what a wall's sets hold.
type Held struct{ sets []set }

// Has says whether the named set has an element with these values of its fields.
func (h *Held) Has(name string, fields ...[]byte) bool {
	i := slices.IndexFunc(h.sets, func(s set) bool { return s.name == name })
	return i >= 0 && slices.ContainsFunc(h.sets[i].elements, func(e element) bool { return e.has(fields) })
}

// has compares field by field: an element is a product, not one interval.
func (e element) has(fields [][]byte) bool {
	at := 0
	for _, f := range fields {
		wide := words(f)
		end := at + len(wide)
		if end > len(e.key) || end > len(e.keyEnd) || string(wide) < string(e.key[at:end]) || string(wide) > string(e.keyEnd[at:end]) {
			return false
		}
		at = end
	}
	return at == len(e.key)
}
