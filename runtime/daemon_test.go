package runtime_test

import (
	"testing"

	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/runtime"
)

// TestSandboxesOutliveLibvirtd kills libvirtd. The sandboxes run on behind their
// filters, and the Runtime finds them again, through the next libvirtd.
func TestSandboxesOutliveLibvirtd(t *testing.T) {
	testhost.Need(t)
	r := newRuntime(t)
	p := newProber(t, r, "lxc", "outlives", "30")
	p.attach(testhost.NewPeer(t, bridgeOf(t, "probe"), "10.84.0.50/24", "fd84::50/64"))
	before := measured(t, r, "outlives")
	bound := bindings(t)

	testhost.KillLibvirtd(t)

	after := measured(t, r, "outlives")
	if after.State != "running" || after.Service != "ready" || after.Uptime < before.Uptime || after.Restarts != 0 {
		t.Errorf("before libvirtd was killed: %+v, afterwards: %+v", before, after)
	}
	for device, filter := range bound {
		if now := bindings(t)[device]; now != filter {
			t.Errorf("%s was behind %s and is behind %q", device, filter, now)
		}
	}
	p.testIn(t)
	b := compile(t, "probe.cue", p.tags...)
	result, err := r.Up(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	if !result.Unchanged() {
		t.Errorf("an up after it changed something: %+v", result)
	}
}

// measured is the named sandbox as it is now.
func measured(t *testing.T, r *runtime.Runtime, name string) runtime.Sandbox {
	t.Helper()
	list, err := r.List()
	if err != nil {
		t.Fatal(err)
	}
	r.Measure(t.Context(), list)
	for _, s := range list {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("%s is not among %+v", name, list)
	return runtime.Sandbox{}
}
