package innerwall

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	compiled "github.com/sbx-dev/sbx/compiler/firewall/nftables"
)

// Able says why this host's kernel cannot hold inner walls; nil where it can. It is
// asked once: for a table with all that walls ask of a kernel, made and removed in one
// transaction. So modules are loaded, and what is missing is known, before a table with
// elements comes: one that fails behind them has the kernel take out each by itself,
// looking through all others for it. 500 took 16 seconds so, 1,000 took 48 (Debian 12's
// kernel, emulated), and nothing can interrupt it.
var Able = sync.OnceValue(func() error {
	conn, err := connect()
	if err != nil {
		return err
	}
	defer conn.CloseLasting()
	probe, err := everything()
	if err == nil {
		err = replace(conn, probe)
	}
	if err != nil {
		return err
	}
	conn.DelTable(probe.kernel())
	switch err := conn.Flush(); {
	case errors.Is(err, unix.EPROTO):
		return fmt.Errorf("it follows no connections across bridges: it is built without CONFIG_NF_CONNTRACK_BRIDGE, or the module nf_conntrack_bridge is missing")
	case errors.Is(err, unix.EAFNOSUPPORT), errors.Is(err, unix.EOPNOTSUPP):
		return fmt.Errorf("it has no nftables for bridges: it is built without CONFIG_NF_TABLES_BRIDGE, or a module is missing")
	default:
		return err
	}
})

// everything is a table that reads each field, and has each kind of rule. No hook
// enters it.
func everything() (*table, error) {
	c := compiled.Chain{Name: "chain"}
	add := func(r compiled.Rule) { c.Rules = append(c.Rules, r) }
	for _, f := range slices.Sorted(maps.Keys(fields)) {
		if f != compiled.CTState {
			add(compiled.Rule{Match: []compiled.Match{{Fields: []compiled.Field{f}, Value: make([]byte, fields[f].size)}}, Verdict: compiled.Drop})
		}
	}
	add(compiled.Rule{Match: []compiled.Match{{Fields: []compiled.Field{compiled.CTState}, States: []compiled.State{compiled.New}}}, Verdict: compiled.Accept})
	add(compiled.Rule{Match: []compiled.Match{{Fields: []compiled.Field{compiled.Target4, compiled.Protocol}, Set: "set"}}, Log: true, Verdict: compiled.Drop})
	add(compiled.Rule{Verdict: compiled.Goto, Chain: "next"})
	t, err := convert(&compiled.Table{
		Name:   fmt.Sprintf("sbx-probe-%d", os.Getpid()),
		Sets:   []compiled.Set{{Name: "set", Types: []compiled.Type{compiled.IPv4Type, compiled.ProtocolType}}},
		Chains: []compiled.Chain{c, {Name: "next"}},
	})
	if err != nil {
		return nil, err
	}
	fragments, err := laterFragments("sbx-probe")
	t.chains[0].rules = append(t.chains[0].rules, fragments...)
	return t, err
}
