//go:build otherhost

package nwfilter

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/compiler/firewall/nftables"
	"github.com/sbx-dev/sbx/compiler/firewall/space"
	"github.com/sbx-dev/sbx/internal/testhost"
)

// alone is a sandbox behind an inner wall and no other: a network namespace on a bridge.
type alone struct {
	*wire
	nic    firewall.Interface
	device string
}

func (a *alone) enforce(t *testing.T, rules firewall.Rules) *Compiled {
	t.Helper()
	c, err := Compile(a.nic, rules)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func startAlone(t *testing.T) (sandbox, firewall.Interface) {
	t.Helper()
	p := testhost.NewPeer(t, labBridge)
	a := &alone{wire: peerWire(t, p), nic: labNIC, device: p.Port}
	a.nic.MAC = a.mac
	return a, a.nic
}

// wallModel is the inner wall as a model of what passes, wherever a packet comes from.
type wallModel struct{ *nftables.Wall }

func (w wallModel) Eval(p space.Packet, _ bool) Verdict {
	return Verdict{Accept: w.Wall.Eval(p).Accept}
}

// hold has the kernel hold a table, in place of an earlier one of its name.
func hold(t *testing.T, table *nftables.Table) {
	t.Helper()
	byNft(t, "table bridge "+table.Name+"\ndelete table bridge "+table.Name+"\n"+string(table.Text()))
}

func byNft(t *testing.T, text string) {
	t.Helper()
	nft := exec.Command("nft", "-f", "-")
	nft.Stdin = strings.NewReader(text)
	if out, err := nft.CombinedOutput(); err != nil {
		t.Fatalf("nft: %v\n%s\n%s", err, out, text)
	}
}

// noResets keeps the host from ending, behind the test's back, connections of which it
// knows nothing: before conntrack sees it, which would take the next packet for invalid.
const noResets = "table inet quiet {\n chain out {\n type filter hook output priority -400\n tcp flags rst drop\n }\n}\n"

// TestInnerWallAgreesWithTheKernel loads the inner walls of random policies into a kernel
// that follows connections across bridges, and compares what arrives with the model and
// with the policy: raw packets from a peer, the host and by way of its routing, answers to
// those that arrived, ICMP errors about them, and others that nobody asked for. There is
// no residual: what arrives, a rule lets pass.
func TestInnerWallAgreesWithTheKernel(t *testing.T) {
	probes := setting(t, "SBX_KERNEL_PROBES", 200)
	r := rand.New(rand.NewPCG(uint64(setting(t, "SBX_KERNEL_SEED", 17)), 19))
	d := &differ{lab: newLab(t, startAlone), random: r, seen: map[string]int{}}
	sandbox := d.sandbox.(*alone)
	byNft(t, noResets)
	if out, err := exec.Command("modprobe", "br_netfilter").CombinedOutput(); err != nil {
		t.Logf("without br_netfilter: %v %s", err, out)
	}
	_, err := os.Stat("/proc/sys/net/bridge")
	filtered := err == nil
	policies := setting(t, "SBX_KERNEL_WALLS", 4)
	for n := range policies {
		d.compiled = d.sandbox.enforce(t, randomFor(t, r, d.nic))
		table, err := nftables.Compile(d.compiled.Policy, sandbox.device)
		if err != nil {
			t.Fatal(err)
		}
		wall, err := nftables.Model(table)
		if err != nil {
			t.Fatal(err)
		}
		hold(t, table)
		d.model = wallModel{wall}
		if d.nfCall = n%2 == 0; filtered {
			setNFCall(t, d.nfCall)
		}
		d.run(t, probes)
		if t.Failed() {
			t.Fatalf("policy %d:\n%s", n, table.Text())
		}
	}
	t.Logf("%d policies, %d probes, br_netfilter %t: %v", policies, d.sent, filtered, d.seen)
	for _, what := range []string{"accept peer", "accept host", "accept routed", "drop peer", "drop host", "drop routed"} {
		if d.seen[what] == 0 {
			t.Errorf("no probe was of the kind %q", what)
		}
	}
	if n := d.seen["accept residual"]; n > 0 {
		t.Errorf("%d probes passed that no rule lets pass", n)
	}
}
