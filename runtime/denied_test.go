//go:build otherhost

package runtime_test

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/runtime"
	"github.com/sbx-dev/sbx/runtime/denied"
)

// deniedProfile's command sends what no rule allows.
const deniedProfile = `package denied

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name:    "denied"
	backend: "lxc"
	run: argv: ["/usr/bin/bash", "-c", "while sleep 0.2; do echo x >/dev/udp/10.93.0.1/9999; done 2>/dev/null"]
	expose: ["/usr"]
	network: {
		attach: "denied"
		create: {mode: "isolated", address: "10.93.0.1/24"}
		address: "10.93.0.2/24"
		allow: [
			{out: udp: [53], to: "10.93.0.1"},
			// rules
		]
	}
	resources: {memory: "64MiB", cpus: 1}
}
`

// What the wall drops, in each direction and from each source, is told with the rule that
// it lacks; with these rules in the profile it passes, and is not told any more; and the log
// goes on where the sandbox is started anew.
func TestDenied(t *testing.T) {
	testhost.Need(t)
	r := newKeptRuntime(t)
	up(t, r, compileText(t, deniedProfile))
	peer := testhost.NewPeer(t, bridgeOf(t, "denied"), "10.93.0.50/24")
	from := map[string]string{ // who tries → the rule that it lacks
		"10.93.0.50": `{in: tcp: [80], from: "10.93.0.50"}`,
		"10.93.0.1":  `{in: udp: [5353], from: "10.93.0.1"}`,
		"10.93.0.2":  `{out: udp: [9999], to: "10.93.0.1"}`,
	}
	var found *denied.Report
	testhost.WaitFor(t, "all that is dropped to be told", 2*time.Minute, func() bool {
		dial(peer, "10.93.0.2:80")
		datagram(t, "10.93.0.2:5353")
		found = deniedOf(t, r)
		return len(rulesOf(found)) >= len(from)
	})
	if found.Untold != "" || found.Missed > 0 || len(found.Walls) != 1 || found.Walls[0].In == 0 || found.Walls[0].Out == 0 || found.Walls[0].List != "network.allow" {
		t.Errorf("it tells %+v", found)
	}
	rules := rulesOf(found)
	for who, rule := range from {
		if !slices.Contains(rules, rule) {
			t.Errorf("%s tries, and the rule %s is not among %q", who, rule, rules)
		}
	}

	opened := strings.Replace(deniedProfile, "// rules", strings.Join(rules, ",\n")+",", 1)
	if changed, err := r.Up(t.Context(), compileText(t, opened)); err != nil || changed.Restarted {
		t.Fatalf("up with these rules does %+v: %v", changed, err)
	}
	if err := dial(peer, "10.93.0.2:80"); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("with a rule, the peer is answered %v", err)
	}
	server, err := net.ListenPacket("udp", "10.93.0.1:9999")
	if err != nil {
		t.Fatal(err)
	}
	server.SetReadDeadline(time.Now().Add(time.Minute))
	if _, who, err := server.ReadFrom(make([]byte, 9)); err != nil || !strings.HasPrefix(who.String(), "10.93.0.2:") {
		t.Errorf("with a rule, %v arrives: %v", who, err)
	}
	server.Close()
	isTold := func(port string) { // and with it all that was dropped before it
		testhost.WaitFor(t, "what is sent to port "+port+" to be told", 2*time.Minute, func() bool {
			dial(peer, "10.93.0.2:"+port)
			return slices.Contains(rulesOf(deniedOf(t, r)), `{in: tcp: [`+port+`], from: "10.93.0.50"}`)
		})
	}
	isTold("81")
	before := deniedOf(t, r)
	if left := rulesOf(before); len(left) > 1 {
		t.Errorf("with these rules it still tells of %q", left)
	}

	dropped := before.Walls[0].In
	isTold("83")
	after := deniedOf(t, r)
	if after.Walls[0].In <= dropped {
		t.Errorf("%d were dropped on their way in, and %d before", after.Walls[0].In, dropped)
	}
	for _, p := range before.Denied {
		if n := slices.IndexFunc(after.Denied, func(q denied.Packet) bool { return p.Passes && q.Rule == p.Rule && q.Count > p.Count }); n >= 0 {
			t.Errorf("it passes, and is told of: %+v", after.Denied[n])
		}
	}

	if _, err := r.Stop(t.Context(), "denied"); err != nil {
		t.Fatal(err)
	}
	up(t, r, compileText(t, opened))
	testhost.WaitFor(t, "one after a new start to be told", 2*time.Minute, func() bool {
		dial(peer, "10.93.0.2:82")
		rules := rulesOf(deniedOf(t, r))
		return slices.Contains(rules, `{in: tcp: [82], from: "10.93.0.50"}`) && slices.Contains(rules, `{in: tcp: [81], from: "10.93.0.50"}`)
	})
	if found := deniedOf(t, r); found.Untold != "" {
		t.Errorf("after a new start: %s", found.Untold)
	}
}

func deniedOf(t *testing.T, r *runtime.Runtime) *denied.Report {
	t.Helper()
	found, err := r.Denied("denied")
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// rulesOf are those that would let pass what does not by now.
func rulesOf(r *denied.Report) (rules []string) {
	for _, p := range r.Denied {
		if p.Rule != "" && !p.Passes && !slices.Contains(rules, p.Rule) {
			rules = append(rules, p.Rule)
		}
	}
	return rules
}

// dial tries to connect from where the peer is.
func dial(peer *testhost.Peer, address string) error {
	return peer.Do(func() error {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			err = fmt.Errorf("connected: %w", conn.Close())
		}
		return err
	})
}

// datagram sends one from the host.
func datagram(t *testing.T, address string) {
	t.Helper()
	conn, err := net.Dial("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.Write([]byte("x"))
}
