package firewall

import (
	"net/netip"
	"testing"

	"github.com/sbx-dev/sbx/compiler/firewall/space"
)

// Rules of which each can be joined only once those before it are, which would take a
// round each, are joined for some rounds.
func TestJoiningHasABound(t *testing.T) {
	var parts []Part
	add := func(first, last byte, low, high uint16) {
		part := Part{From: []int{len(parts)}}
		part.V4, part.Services = true, []Service{{TCP, low, high}}
		part.Remotes = []space.Range{{From: netip.AddrFrom4([4]byte{10, 0, 0, first}), To: netip.AddrFrom4([4]byte{10, 0, 0, last})}}
		parts = append(parts, part)
	}
	add(1, 1, 1, 1)
	for n := byte(2); n < 100; n++ {
		add(n, n, 1, uint16(n)-1)
		add(1, n, uint16(n), uint16(n))
	}
	if got := len(joined(parts)); got >= len(parts) || got == 1 {
		t.Errorf("of %d parts %d are left: joining is without a bound, or does not join", len(parts), got)
	}
}
