package runtime_test

import (
	"net"
	"os/exec"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/internal/testhost"
)

// TestSeveralNetworks gives sandboxes two interfaces, each behind a filter of
// its own, and lets the sandboxes find each other by name on one of them.
func TestSeveralNetworks(t *testing.T) {
	testhost.Need(t)
	ip(t, "link", "add", "front0", "type", "bridge")
	t.Cleanup(func() { ip(t, "link", "del", "front0") })
	ip(t, "addr", "add", "10.89.0.1/24", "dev", "front0")
	ip(t, "link", "set", "front0", "up")
	r := newRuntime(t)
	for name, host := range map[string]string{"one": "11", "two": "12"} {
		up(t, r, compile(t, "networks.cue", "name="+name, "backend=lxc", "host="+host, "bin="+program(t, "probe")))
	}
	back := testhost.NewPeer(t, bridgeOf(t, "back"), "10.88.0.50/24")
	front := testhost.NewPeer(t, "front0", "10.89.0.50/24")

	for _, c := range []struct {
		from    *testhost.Peer
		address string
		open    bool
	}{
		{back, "10.88.0.11:80", true}, {back, "10.88.0.11:8080", false},
		{front, "10.89.0.11:8080", true}, {front, "10.89.0.11:80", false},
	} {
		err := c.from.Do(func() error { return reach("tcp4", c.address, patience(c.open)) })
		if c.open && err != nil || !c.open && !silent(err) {
			t.Errorf("%s: %v, want answered = %v", c.address, err, c.open)
		}
	}

	one := &prober{name: "one"}
	one.attachAt(back, "10.88.0.11")
	for attempt, want := range map[string]string{
		"/interfaces": "lo eth0 eth1",
		query("/resolve", "server", "10.88.0.1", "name", "two"):           "10.88.0.12 fd88::12",
		query("/resolve", "server", "10.88.0.1", "name", "two.back.test"): "10.88.0.12 fd88::12",
	} {
		if got, ok := one.try(t, attempt); !ok || got != want {
			t.Errorf("%s gave %q, want %q", attempt, got, want)
		}
	}
	for device, filter := range bindings(t) {
		if !strings.HasPrefix(filter, "sbx-one.") && !strings.HasPrefix(filter, "sbx-two.") {
			t.Errorf("%s is behind the filter %s", device, filter)
		}
	}

	if _, err := r.Down(t.Context(), "two"); err != nil {
		t.Fatal(err)
	}
	if got, ok := one.try(t, query("/resolve", "server", "10.88.0.1", "name", "two")); ok {
		t.Errorf("after two was taken down, it is still known at %s", got)
	}
	if _, err := net.InterfaceByName(bridgeOf(t, "back")); err != nil {
		t.Errorf("the network went with the first of its two sandboxes: %v", err)
	}
}

// bindings lists the host's interfaces and the filters that they are behind.
func bindings(t *testing.T) map[string]string {
	t.Helper()
	out, err := exec.Command("virsh", "-q", "-c", "lxc:///system", "nwfilter-binding-list").Output()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) == 2 {
			found[f[0]] = f[1]
		}
	}
	if len(found) == 0 {
		t.Error("no interface is behind a filter")
	}
	return found
}
