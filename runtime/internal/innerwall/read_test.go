package innerwall

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"

	"github.com/google/nftables"

	compiled "github.com/sbx-dev/sbx/compiler/firewall/nftables"
)

// Others may change tables of their own while a wall is looked at: it is the same, and
// there is nothing to mend.
func TestOthersTablesDoNotShow(t *testing.T) {
	const inside = "SBX_TEST_OWN_NETWORK"
	if os.Getenv(inside) == "" {
		if os.Geteuid() != 0 {
			t.Skip("needs root")
		}
		alone := exec.Command(os.Args[0], "-test.run=^TestOthersTablesDoNotShow$", "-test.v")
		alone.Env = append(os.Environ(), inside+"=1")
		alone.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
		if out, err := alone.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		return
	}
	churn := &nftables.Table{Name: "churn", Family: nftables.TableFamilyBridge}
	change := func(do func(conn *nftables.Conn)) {
		t.Helper()
		conn, err := connect()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.CloseLasting()
		do(conn)
		if err := conn.Flush(); err != nil {
			t.Error(err)
		}
	}
	const many = 400 // more chains than the kernel says at once
	each := func(do func(*nftables.Chain)) {
		for n := range many {
			do(&nftables.Chain{Table: churn, Name: fmt.Sprintf("chain%d", n)})
		}
	}
	change(func(conn *nftables.Conn) { // before the wall, as the kernel lists them
		conn.AddTable(churn)
		each(func(c *nftables.Chain) { conn.AddChain(c) })
	})
	table := &compiled.Table{Name: "sbx-web", Chains: []compiled.Chain{ // without states, which this kernel may not know
		{Name: "in", Rules: []compiled.Rule{{Verdict: compiled.Goto, Chain: "refused_in"}}},
		{Name: "refused_in", Rules: []compiled.Rule{{Log: true, Verdict: compiled.Drop}}},
	}}
	if was, err := Mend(table); was != Absent || err != nil {
		t.Fatalf("it was %q: %v", was, err)
	}
	stop, times := make(chan struct{}), 0
	var others sync.WaitGroup
	others.Go(func() {
		for ; ; times++ {
			select {
			case <-stop:
				return
			default:
			}
			change(func(conn *nftables.Conn) { each(conn.DelChain) })
			change(func(conn *nftables.Conn) { each(func(c *nftables.Chain) { conn.AddChain(c) }) })
		}
	})
	mended := 0
	for range 300 {
		was, err := Mend(table)
		if err != nil {
			t.Error(err)
		}
		if was != "" {
			mended++
		}
	}
	close(stop)
	others.Wait()
	t.Logf("theirs changed %d times", 2*times)
	if times == 0 {
		t.Error("theirs did not change")
	}
	if mended > 0 {
		t.Errorf("ours was mended %d times, and nobody had changed it", mended)
	}
}
