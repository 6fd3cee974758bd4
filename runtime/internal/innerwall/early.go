package innerwall

import (
	"fmt"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"

	compiled "github.com/sbx-dev/sbx/compiler/firewall/nftables"
)

// What leaves a sandbox meets the outer wall, a filter of libvirt's in ebtables' table
// nat, at the priority -300, and the inner one only after connections are known, at 0.
// What the outer one drops is neither counted nor told there. So a copy of the way out
// stands before both, which knows no connections: it drops and tells what no rule lets
// out in whatever state, and of that the wall itself lets nothing pass either.
const (
	earlyPriority = -310
	earlyPrefix   = "early_"
)

// earlyChains are that copy: each chain that the way out leads through, in which what
// accepts asks for no state.
func earlyChains(t *compiled.Table) ([]compiled.Chain, error) {
	var names []string
	for _, c := range t.Chains {
		if c.Hook == compiled.Prerouting {
			names = append(names, c.Name)
		}
	}
	var out []compiled.Chain
	for n := 0; n < len(names); n++ {
		i := slices.IndexFunc(t.Chains, func(c compiled.Chain) bool { return c.Name == names[n] })
		if i < 0 {
			return nil, fmt.Errorf("a rule goes to chain %s, which is missing", names[n])
		}
		copied := compiled.Chain{Name: earlyPrefix + names[n]}
		for _, r := range t.Chains[i].Rules {
			stateless := slices.DeleteFunc(slices.Clone(r.Match), asksState)
			switch {
			case r.Verdict == compiled.Accept:
				r.Match = stateless
			case len(stateless) < len(r.Match):
				return nil, fmt.Errorf("chain %s: %s: what does not accept asks for a state, and would drop more without", names[n], r)
			}
			if r.Verdict == compiled.Goto {
				if !slices.Contains(names, r.Chain) {
					names = append(names, r.Chain)
				}
				r.Chain = earlyPrefix + r.Chain
			}
			copied.Rules = append(copied.Rules, r)
		}
		out = append(out, copied)
	}
	return out, nil
}

func asksState(m compiled.Match) bool {
	return slices.Contains(m.Fields, compiled.CTState) || slices.Contains(m.Fields, compiled.CTDirection)
}

// convertEarly is the copy in the kernel's form. Where it begins, fragments after the
// first go on: they carry no ports, which the wall sees when the kernel has put them
// together.
func convertEarly(t *compiled.Table, types map[string][]compiled.Type) ([]chain, error) {
	copied, err := earlyChains(t)
	if err != nil {
		return nil, err
	}
	var out []chain
	for _, c := range copied {
		one, err := convertChain(t.Name, c, types)
		if err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(t.Chains, func(of compiled.Chain) bool { return earlyPrefix+of.Name == c.Name }); t.Chains[i].Hook == compiled.Prerouting {
			if one.base, err = baseOf(compiled.Prerouting, earlyPriority); err != nil {
				return nil, err
			}
			fragments, err := laterFragments(t.Device)
			if err != nil {
				return nil, err
			}
			one.rules = append(fragments, one.rules...)
		}
		out = append(out, one)
	}
	return out, nil
}

// laterFragments are rules that have the device's fragments after the first go on: of
// IPv4 (RFC 791) and of IPv6, whose header for it has the number 44 (RFC 8200).
func laterFragments(device string) (rules [][]expr.Any, err error) {
	offset := func(mask []byte) []expr.Any {
		return []expr.Any{
			&expr.Bitwise{SourceRegister: register(0), DestRegister: register(0), Len: 2, Mask: mask, Xor: []byte{0, 0}},
			&expr.Cmp{Op: expr.CmpOpNeq, Register: register(0), Data: []byte{0, 0}},
			&expr.Verdict{Kind: expr.VerdictAccept},
		}
	}
	for _, f := range []struct {
		ether []byte
		read  expr.Any
		mask  []byte
	}{
		{[]byte{0x08, 0x00}, inNetwork(6, 2).read(register(0)), []byte{0x1f, 0xff}},
		{[]byte{0x86, 0xdd}, &expr.Exthdr{DestRegister: register(0), Type: 44, Offset: 2, Len: 2, Op: expr.ExthdrOpIpv6}, []byte{0xff, 0xf8}},
	} {
		var rule []expr.Any
		for _, m := range []compiled.Match{
			{Fields: []compiled.Field{compiled.InDevice}, Value: []byte(device)},
			{Fields: []compiled.Field{compiled.EtherType}, Value: f.ether},
		} {
			asks, err := convertMatch(m, nil)
			if err != nil {
				return nil, err
			}
			rule = append(rule, asks...)
		}
		rules = append(rules, append(append(rule, f.read), offset(f.mask)...))
	}
	return rules, nil
}

func baseOf(h compiled.Hook, priority nftables.ChainPriority) (*nftables.Chain, error) {
	hook, err := hookOf(h)
	if err != nil {
		return nil, err
	}
	accept := nftables.ChainPolicyAccept
	return &nftables.Chain{Type: nftables.ChainTypeFilter, Hooknum: hook, Priority: nftables.ChainPriorityRef(priority), Policy: &accept}, nil
}
