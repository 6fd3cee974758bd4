//go:build otherhost

package runtime_test

import (
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/runtime"
	"github.com/sbx-dev/sbx/runtime/plan"
)

const walledProfile = `package walled

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name:    "walled"
	backend: "lxc"
	run: argv: ["/usr/bin/sleep", "1000"]
	expose: ["/usr"]
	network: {
		attach: "walled"
		create: {mode: "isolated", address: "10.92.0.1/24"}
		address: "10.92.0.2/24"
		allow: [{out: udp: [5054], to: "10.92.0.1"}]
	}
	resources: {memory: "64MiB", cpus: 1}
}
`

// The inner wall is there with the sandbox and goes with it; what nobody asked for does
// not pass it; a change of the rules is a change of it while the sandbox runs; and
// where somebody removes it, that is drift, which up mends.
func TestInnerWall(t *testing.T) {
	testhost.Need(t)
	r := newRuntime(t)
	bundle := compileText(t, walledProfile)
	up(t, r, bundle)
	if list := nft(t, "list table bridge sbx-walled"); !strings.Contains(list, "10.92.0.1 . 5054 . udp") {
		t.Errorf("the table is\n%s", list)
	}
	notDrifted(t, r)

	// The residual of docs/firewall.md: the outer wall lets it pass.
	before := refusedIn(t)
	from, err := net.DialUDP("udp", &net.UDPAddr{IP: net.IPv4(10, 92, 0, 1), Port: 5054}, &net.UDPAddr{IP: net.IPv4(10, 92, 0, 2), Port: 5353})
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	testhost.WaitFor(t, "the inner wall to drop what nobody asked for", time.Minute, func() bool {
		from.Write([]byte("unasked")) // the kernel may drop the first, until it knows the neighbour
		return refusedIn(t) != before
	})

	nft(t, "delete table bridge sbx-walled")
	if found := driftOf(t, r); len(found) != 1 || found[0].Object != "inner wall sbx-walled" || found[0].Live != "absent" {
		t.Errorf("the table is deleted, and drift is %+v", found)
	}
	mended, err := r.Up(t.Context(), bundle)
	if err != nil || mended.Created || mended.Restarted || len(mended.Changes) != 1 {
		t.Fatalf("up does %+v: %v", mended, err)
	}
	notDrifted(t, r)

	changed, err := r.Up(t.Context(), compileText(t, strings.Replace(walledProfile, "[5054]", "[5054, 5060]", 1)))
	if err != nil || changed.Restarted || !slices.ContainsFunc(changed.Changes, func(c plan.Change) bool { return c.Object == "inner wall sbx-walled" && c.Effect == plan.Live }) {
		t.Fatalf("up with one more rule does %+v: %v", changed, err)
	}
	if list := nft(t, "list set bridge sbx-walled ports_out4"); !strings.Contains(list, "5060") {
		t.Errorf("the set is\n%s", list)
	}
	notDrifted(t, r)

	if _, err := r.Down(t.Context(), "walled"); err != nil {
		t.Fatal(err)
	}
	if list := nft(t, "list tables"); strings.Contains(list, "sbx-walled") {
		t.Errorf("down leaves %s", list)
	}
}

func nft(t *testing.T, command string) string {
	t.Helper()
	out, err := exec.Command("nft", command).CombinedOutput()
	if err != nil {
		t.Fatalf("nft %s: %v: %s", command, err, out)
	}
	return string(out)
}

func nftTry(command string) error { return exec.Command("nft", command).Run() }

// refusedIn is the chain that counts what may not come in.
func refusedIn(t *testing.T) string { return nft(t, "list chain bridge sbx-walled refused_in") }

func driftOf(t *testing.T, r *runtime.Runtime) []plan.Change {
	t.Helper()
	found, err := r.Drift(nil)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(found, func(c plan.Change) bool { return c.Sandbox != "walled" })
}

func notDrifted(t *testing.T, r *runtime.Runtime) {
	t.Helper()
	if found := driftOf(t, r); len(found) > 0 {
		t.Errorf("nobody has changed anything, and drift is %+v", found)
	}
}
