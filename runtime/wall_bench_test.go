//go:build otherhost

package runtime_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/internal/turns"
	"github.com/sbx-dev/sbx/runtime"
	"github.com/sbx-dev/sbx/schema"
)

// These benchmarks need a kernel that holds inner walls: BenchmarkInnerWalls runs them in
// a virtual machine, and tells what they have come to.

// BenchmarkWall brings one container up by a number of rules, in turns with another
// number of them, with libvirt's filter alone, or without a network; and changes one rule
// of many while it runs, in turns with changing nothing. The network is there already.
func BenchmarkWall(b *testing.B) {
	testhost.Need(b)
	r := newKeptRuntime(b)
	up(b, r, walledBy(b, "anchor", 1, 0))
	upBy := func(bundle *compiler.Bundle) func() float64 {
		return func() float64 {
			took := turns.Milliseconds(func() {
				if _, err := r.Up(b.Context(), bundle); err != nil {
					b.Fatal(err)
				}
			})()
			if _, err := r.Down(b.Context(), bundle.Index.Name); err != nil {
				b.Fatal(err)
			}
			return took
		}
	}
	one, none := upBy(walledBy(b, "walled", 1, 0)), upBy(walledBy(b, "walled", 0, 0))
	five, many := upBy(walledBy(b, "walled", 5, 0)), upBy(walledBy(b, "walled", 500, 0))
	b.Run("one-rule", func(b *testing.B) {
		turns.Ratio(b, turns.Side{Unit: "one-ms", Measure: one}, turns.Side{Unit: "no-network-ms", Measure: none}, turns.Goal{AtMost: 2})
	})
	b.Run("both-walls", func(b *testing.B) {
		turns.Ratio(b, turns.Side{Unit: "both-ms", Measure: one}, turns.Side{Unit: "filter-alone-ms", Measure: filterAlone(b, one)}, turns.Goal{AtMost: 0.5})
	})
	b.Run("500-rules", func(b *testing.B) {
		turns.Ratio(b, turns.Side{Unit: "500-ms", Measure: many}, turns.Side{Unit: "five-ms", Measure: five}, turns.Goal{AtMost: 1.5})
	})
	b.Run("changed", func(b *testing.B) {
		bundles, n := []*compiler.Bundle{walledBy(b, "walled", 500, 0), walledBy(b, "walled", 500, 1)}, 0
		up(b, r, bundles[0])
		change := func() {
			n++
			changed, err := r.Up(b.Context(), bundles[n%2])
			if err != nil || changed.Restarted || len(changed.Changes) == 0 {
				b.Fatalf("up does %+v: %v", changed, err)
			}
		}
		leave := func() {
			same, err := r.Up(b.Context(), bundles[n%2])
			if err != nil || !same.Unchanged() {
				b.Fatalf("up does %+v: %v", same, err)
			}
		}
		turns.Ratio(b, turns.Side{Unit: "changed-ms", Measure: turns.Milliseconds(change)}, turns.Side{Unit: "unchanged-ms", Measure: turns.Milliseconds(leave)}, turns.Goal{})
	})
}

// filterAlone measures on a host whose administrator has settled that libvirt's filter
// enforces rules alone.
func filterAlone(b *testing.B, measure func() float64) func() float64 {
	const settings = "/etc/sbx/host.json"
	return func() float64 {
		err := os.MkdirAll(filepath.Dir(settings), 0o755)
		if err == nil {
			err = os.WriteFile(settings, []byte(`{"firewall": "nwfilter"}`), 0o644)
		}
		if err != nil {
			b.Fatal(err)
		}
		defer os.Remove(settings)
		return measure()
	}
}

// walledBy is a container that waits, with so many rules of which none touches another,
// one of them the nth of its kind. With none it has no network, and the one called anchor
// has that network made.
func walledBy(b *testing.B, name string, rules, nth int) *compiler.Bundle {
	b.Helper()
	profile := loadText(b, walledProfile)
	profile.Name = name
	network := profile.Network
	if name != "anchor" {
		network.Create, network.Address = nil, schema.List{"10.92.0.3/24"}
	}
	network.Allow = separate(rules, nth)
	if rules == 0 {
		profile.Network = nil
	}
	bundle, err := compiler.Compile(profile, compiler.Options{})
	if err != nil {
		b.Fatal(err)
	}
	return bundle
}

// separate are rules of which none touches another.
func separate(count, nth int) (rules []schema.Rule) {
	for n := range count {
		at := uint16(2000 + 4*n)
		if n == count/2 {
			at += uint16(nth)
		}
		rules = append(rules, schema.Rule{
			In:   &schema.Match{TCP: []schema.Ports{{From: at, To: at}}},
			From: schema.List{fmt.Sprintf("10.%d.%d.0/24", 20+n%7, n*37%256)},
		})
	}
	return rules
}

// BenchmarkWallHTTP asks an apache for its page, one connection a request: behind both
// walls in turns with the same program on the same bridge behind none, and behind walls of
// 500 rules in turns with those of five.
func BenchmarkWallHTTP(b *testing.B) {
	testhost.Need(b)
	r := runtime.New(runtime.Options{Init: program(b, "sbx-init"), Log: func(line string) { b.Log(line) }})
	b.Cleanup(r.Close)
	profile := upApache(b, r, "apache", "10.83.0.80", 5)
	upApache(b, r, "apache-500", "10.83.0.81", 500)
	peer := testhost.NewPeer(b, bridgeOf(b, "sbx-web"), "10.83.0.60/24")
	plainApache(b, profile, peer)
	side := func(unit, address string) turns.Side {
		return turns.Side{Unit: unit + "-requests/s", Measure: func() float64 { return requests(b, address, 2000) }}
	}
	b.Run("walled", func(b *testing.B) {
		turns.Ratio(b, side("walled", "10.83.0.80"), side("plain", "10.83.0.60"), turns.Goal{AtLeast: 0.85})
	})
	b.Run("500-rules", func(b *testing.B) {
		turns.Ratio(b, side("500", "10.83.0.81"), side("five", "10.83.0.80"), turns.Goal{AtLeast: 0.95})
	})
}

// upApache has the apache that ships run under a name and an address, with some more rules.
func upApache(b *testing.B, r *runtime.Runtime, name, address string, rules int) *schema.Profile {
	b.Helper()
	profile := shippedApache(b)
	profile.Name = name
	network := profile.Network
	if name != "apache" {
		network.Create = nil
		logs := profile.Mounts["/var/log/apache2"]
		logs.Host = "/var/log/sbx/" + name
		profile.Mounts["/var/log/apache2"] = logs
	}
	network.Address = schema.List{address + "/24"}
	network.Gateway = schema.List{"10.83.0.1"}
	network.Allow = append(separate(rules-1, 0), schema.Rule{In: &schema.Match{TCP: []schema.Ports{{From: 80, To: 80}}}})
	bundle, err := compiler.Compile(profile, compiler.Options{})
	if err != nil {
		b.Fatal(err)
	}
	up(b, r, bundle)
	return profile
}
