package innerwall

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"

	compiled "github.com/sbx-dev/sbx/compiler/firewall/nftables"
)

// convert writes a compiled table in the kernel's form. What it does not know is an
// error: nothing of a wall may be left out.
func convert(t *compiled.Table) (*table, error) {
	out := &table{name: t.Name}
	types := map[string][]compiled.Type{}
	for _, s := range t.Sets {
		one, err := convertSet(s)
		if err != nil {
			return nil, fmt.Errorf("set %s: %w", s.Name, err)
		}
		types[s.Name] = s.Types
		out.sets = append(out.sets, one)
	}
	for _, c := range t.Chains {
		one, err := convertChain(t.Name, c, types)
		if err != nil {
			return nil, err
		}
		if c.Hook != compiled.NoHook {
			if one.base, err = baseOf(c.Hook, *nftables.ChainPriorityFilter); err != nil {
				return nil, fmt.Errorf("chain %s: %w", c.Name, err)
			}
		}
		out.chains = append(out.chains, one)
	}
	early, err := convertEarly(t, types)
	if err != nil {
		return nil, err
	}
	out.chains = append(out.chains, early...)
	out.sort()
	return out, nil
}

func convertChain(tableName string, c compiled.Chain, types map[string][]compiled.Type) (chain, error) {
	one := chain{name: c.Name}
	for n, r := range c.Rules {
		rules, err := convertRule(tableName, c.Name, r, types)
		if err != nil {
			return one, fmt.Errorf("chain %s, rule %d: %w", c.Name, n, err)
		}
		one.rules = append(one.rules, rules...)
	}
	return one, nil
}

func hookOf(h compiled.Hook) (*nftables.ChainHook, error) {
	switch h {
	case compiled.Prerouting:
		return nftables.ChainHookPrerouting, nil
	case compiled.Postrouting:
		return nftables.ChainHookPostrouting, nil
	}
	return nil, fmt.Errorf("there is no hook %q", h)
}

func (t *table) sort() {
	for _, s := range t.sets {
		slices.SortFunc(s.elements, compareElements)
	}
	slices.SortFunc(t.sets, func(a, b set) int { return strings.Compare(a.name, b.name) })
	slices.SortFunc(t.chains, func(a, b chain) int { return strings.Compare(a.name, b.name) })
}

// datatypes are nftables' types by the compiler's names.
var datatypes = map[compiled.Type]nftables.SetDatatype{
	compiled.ProtocolType: nftables.TypeInetProto,
	compiled.IPv4Type:     nftables.TypeIPAddr,
	compiled.IPv6Type:     nftables.TypeIP6Addr,
	compiled.PortType:     nftables.TypeInetService,
	compiled.ICMPType:     nftables.TypeICMPType,
	compiled.ICMPCode:     nftables.TypeICMPCode,
	compiled.ICMPv6Type:   nftables.TypeICMP6Type,
	compiled.ICMPv6Code:   nftables.TypeICMPV6Code,
}

func convertSet(s compiled.Set) (set, error) {
	out := set{name: s.Name}
	kinds := make([]nftables.SetDatatype, len(s.Types))
	for n, t := range s.Types {
		kind, known := datatypes[t]
		if !known {
			return out, fmt.Errorf("there is no type %q", t)
		}
		kinds[n] = kind
	}
	if len(kinds) < 2 {
		return out, fmt.Errorf("it has %d types, and the kernel keeps intervals of fewer than two in another way", len(kinds))
	}
	var err error
	if out.types, err = nftables.ConcatSetType(kinds...); err != nil {
		return out, err
	}
	for _, e := range s.Elements {
		if err := checkKey(e.Key, s.Types); err != nil {
			return out, err
		}
		var one element
		for _, i := range e.Key {
			one.key, one.keyEnd = append(one.key, words(i.Low)...), append(one.keyEnd, words(i.High)...)
		}
		out.elements = append(out.elements, one)
	}
	return out, nil
}

func checkKey(key []compiled.Interval, types []compiled.Type) error {
	if len(key) != len(types) {
		return fmt.Errorf("an element has %d fields, and the set %d", len(key), len(types))
	}
	for n, i := range key {
		if size := types[n].Size(); len(i.Low) != size || len(i.High) != size || bytes.Compare(i.Low, i.High) > 0 {
			return fmt.Errorf("%x-%x is no interval of %s", i.Low, i.High, types[n])
		}
	}
	return nil
}

// word is the size of the kernel's registers.
const word = 4

// words fills up to whole registers.
func words(value []byte) []byte {
	return append(bytes.Clone(value), make([]byte, (word-len(value)%word)%word)...)
}

// convertRule gives the kernel's rules for one: where it tells what it drops, the
// first does that, of a bounded number, and the second counts them all.
func convertRule(tableName, chainName string, r compiled.Rule, sets map[string][]compiled.Type) ([][]expr.Any, error) {
	var asks []expr.Any
	for _, m := range r.Match {
		one, err := convertMatch(m, sets)
		if err != nil {
			return nil, err
		}
		asks = append(asks, one...)
	}
	verdict, err := verdictOf(r)
	if err != nil {
		return nil, err
	}
	if !r.Log {
		return [][]expr.Any{append(asks, verdict)}, nil
	}
	logs := append(slices.Clone(asks), logging(tableName, chainName)...)
	return [][]expr.Any{logs, append(asks, &expr.Counter{}, verdict)}, nil
}

func verdictOf(r compiled.Rule) (*expr.Verdict, error) {
	switch r.Verdict {
	case compiled.Accept:
		return &expr.Verdict{Kind: expr.VerdictAccept}, nil
	case compiled.Drop:
		return &expr.Verdict{Kind: expr.VerdictDrop}, nil
	case compiled.Goto:
		return &expr.Verdict{Kind: expr.VerdictGoto, Chain: r.Chain}, nil
	}
	return nil, fmt.Errorf("there is no verdict %q", r.Verdict)
}
