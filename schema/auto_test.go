package schema

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
)

// decoded is a profile with defaults, of which the network is as given, in JSON.
func decoded(t *testing.T, name, network string) *Profile {
	t.Helper()
	p, err := Decode(fmt.Appendf(nil, `{"name": %q, "backend": "lxc", "run": {"argv": ["/bin/true"]}, "network": %s}`, name, network))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The values are part of what a profile means: a release that changed one would
// move sandboxes to other addresses.
func TestAutoIsStable(t *testing.T) {
	for _, c := range []struct {
		name, network string
		want          List
	}{
		{"db", `{"address": "auto", "create": {"address": "10.83.0.1/24"}}`, List{"10.83.0.212/24"}},
		{"web", `{"address": "auto", "create": {"address": ["10.83.0.1/16", "fd83::1/64"]}}`, List{"10.83.191.66/16", "fd83::e020:bf42/64"}},
		{"web", `{"address": ["auto", "fd83::80/64"], "create": {"address": ["10.83.0.1/16", "fd83::1/64"]}}`, List{"10.83.191.66/16", "fd83::80/64"}},
		{"web", `{"address": "auto", "dhcp": true, "create": {"address": ["10.83.0.1/16", "fd83::1/64"]}}`, List{"fd83::e020:bf42/64"}},
		{"web", `{"address": "auto", "create": {"address": "10.83.0.1/30"}}`, List{"10.83.0.2/30"}},
		{"web", `{"address": "auto", "create": {"address": "10.0.0.1/8", "dhcp": "10.0.0.2-10.254.255.255"}}`, List{"10.255.43.130/8"}},
		{"web", `{"address": "auto", "create": {"address": "10.83.0.1/31"}}`, List{"auto"}},
		{"web", `{"address": "auto", "create": {"address": "10.83.0.1/29", "dhcp": "10.83.0.2-10.83.0.6"}}`, List{"auto"}},
		{"web", `{"address": "auto", "attach": "default"}`, List{"auto"}},
	} {
		if got := decoded(t, c.name, c.network).Network.Address; !slices.Equal(got, c.want) {
			t.Errorf("%s, %s: %v, want %v", c.name, c.network, got, c.want)
		}
	}
}

// Whatever the name and the network, the address is one of the network's that nobody
// else has, and the same each time; what is taken is passed over.
func TestAutoIsFree(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		bits := 8 + r.IntN(23)
		b := [4]byte{10, byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32())}
		network := netip.PrefixFrom(netip.AddrFrom4(b), bits).Masked()
		host := netip.PrefixFrom(network.Addr().Next(), bits)
		s := &Subnet{Address: List{host.String()}}
		if bits <= 28 {
			low := plus(network.Addr(), 2+r.Uint64N(4))
			s.DHCP = fmt.Sprintf("%v-%v", low, plus(low, r.Uint64N(5)))
		}
		name := fmt.Sprintf("s%d", r.Uint32())
		nobody := func(netip.Addr) bool { return false }
		own, ok := s.Derive(host, name, "", nobody)
		again, _ := s.Derive(host, name, "", nobody)
		a := own.Addr()
		if !ok || own != again || !network.Contains(a) || a == network.Addr() || a == last(network) || a == host.Addr() || s.gives(a) {
			t.Fatalf("%s on %v with %q: %v, then %v", name, host, s.DHCP, own, again)
		}
		if next, ok := s.Derive(host, name, "", func(o netip.Addr) bool { return o == a }); bits < 30 && (!ok || next == own || !network.Contains(next.Addr())) {
			t.Fatalf("%s on %v: beside %v, %v", name, host, own, next)
		}
	}
}
