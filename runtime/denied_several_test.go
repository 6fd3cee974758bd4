//go:build otherhost

package runtime_test

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/internal/testhost"
)

// severalProfile has an interface of both families, and one whose address is by DHCP.
const severalProfile = `package several

import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name:    "several"
	backend: "lxc"
	run: argv: ["/usr/bin/bash", "-c", "while sleep 0.2; do echo x >/dev/udp/fd94::1/9999; echo x >/dev/udp/10.96.0.1/9998; done 2>/dev/null"]
	expose: ["/usr"]
	networks: {
		fixed: {
			attach: "several-fixed"
			create: {mode: "isolated", address: ["10.94.0.1/24", "fd94::1/64"]}
			address: ["10.94.0.2/24", "fd94::2/64"]
			allow: [{out: udp: [53]}]
		}
		leased: {
			attach: "several-leased"
			create: {mode: "isolated", address: ["10.96.0.1/24"], dhcp: "10.96.0.50-10.96.0.50"}
			dhcp: true
			allow: [{in: tcp: [80]}]
		}
	}
	resources: {memory: "64MiB", cpus: 1}
}
`

// What is dropped is told of each interface with the list that lacks a rule, of IPv6, and
// where DHCP gives the address; and goes on being told when libvirtd is started anew.
func TestDeniedOfSeveralInterfaces(t *testing.T) {
	testhost.Need(t)
	r := newKeptRuntime(t)
	up(t, r, compileText(t, severalProfile))
	peer := testhost.NewPeer(t, bridgeOf(t, "several-fixed"), "fd94::50/64")
	leases := testhost.NewPeer(t, bridgeOf(t, "several-leased"), "10.96.0.60/24")
	told := func(port string) {
		want := [][2]string{ // the list, and its rule
			{"networks.fixed.allow", `{out: udp: [9999], to: "fd94::1"}`},
			{"networks.leased.allow", `{out: udp: [9998], to: "10.96.0.1"}`},
			{"networks.fixed.allow", `{in: tcp: [` + port + `], from: "fd94::`}, // the network's name server gives it others, too
			{"networks.leased.allow", `{in: tcp: [` + port + `], from: "10.96.0.60"}`},
		}
		begun := time.Now()
		var missing [][2]string
		testhost.WaitFor(t, "all to be told of port "+port, 5*time.Minute, func() bool {
			dial(peer, net.JoinHostPort("fd94::2", port))
			dial(leases, net.JoinHostPort("10.96.0.50", port))
			found, err := r.Denied("several")
			if err != nil {
				t.Fatal(err)
			}
			missing = slices.DeleteFunc(slices.Clone(want), func(w [2]string) bool {
				for _, p := range found.Denied {
					if p.List == w[0] && strings.HasPrefix(p.Rule, w[1]) && p.Last.After(begun) {
						return true
					}
				}
				return false
			})
			if time.Since(begun) > time.Minute {
				t.Logf("not told yet: %q, of %+v", missing, found)
			}
			return len(missing) == 0 && found.Untold == "" && len(found.Walls) == 2
		})
	}
	told("8080")
	testhost.KillLibvirtd(t)
	told("8081")
}
