package innerwall

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	compiled "github.com/sbx-dev/sbx/compiler/firewall/nftables"
)

// Able says why this host's kernel cannot hold inner walls; nil where it can. It is
// asked once: for a table with what kernels lack that are built without it, made and
// removed in one transaction.
var Able = sync.OnceValue(func() error {
	conn, err := connect()
	if err != nil {
		return err
	}
	defer conn.CloseLasting()
	probe, err := convert(&compiled.Table{
		Name: fmt.Sprintf("sbx-probe-%d", os.Getpid()),
		Sets: []compiled.Set{{Name: "set", Types: []compiled.Type{compiled.ProtocolType, compiled.IPv4Type}}},
		Chains: []compiled.Chain{{Name: "chain", Rules: []compiled.Rule{
			{Match: []compiled.Match{{Fields: []compiled.Field{compiled.CTState}, States: []compiled.State{compiled.New}}}, Verdict: compiled.Accept},
			{Match: []compiled.Match{{Fields: []compiled.Field{compiled.Protocol, compiled.Target4}, Set: "set"}}, Log: true, Verdict: compiled.Drop},
		}}},
	})
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
