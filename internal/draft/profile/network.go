package profile

import (
	"hash/fnv"
	"net/netip"
	"strconv"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"

	"github.com/sbx-dev/sbx/internal/draft/cuetext"
	"github.com/sbx-dev/sbx/schema"
)

// Subnet is the network of a profile's own: the host's address on it, and the
// sandbox's, which "auto" stands for. It comes from the name, and may be another's
// too: up says so.
func Subnet(name string) (host, inside netip.Addr) {
	h := fnv.New32a()
	h.Write([]byte(name))
	sum := h.Sum32()
	host = netip.AddrFrom4([4]byte{10, byte(128 + sum>>8&0x7f), byte(sum), 1})
	prefix := netip.PrefixFrom(host, SubnetBits)
	own := &schema.Subnet{Address: schema.List{prefix.String()}}
	derived, _ := own.Derive(prefix, name, "", func(netip.Addr) bool { return false })
	return host, derived.Addr()
}

// SubnetBits is how many bits a subnet's addresses have in common.
const SubnetBits = 24

// Rule is a line of network.allow: "in" or "out", a protocol, its ports, and who; "" is anyone.
func Rule(direction, protocol string, ports []int, peer string) ast.Expr {
	var numbers []ast.Expr
	for _, p := range ports {
		numbers = append(numbers, ast.NewLit(token.INT, strconv.Itoa(p)))
	}
	var r, match cuetext.Group
	match.Add(protocol, ast.NewList(numbers...), "")
	r.Add(direction, match.Inline(), "")
	if peer != "" {
		r.Add(map[string]string{"in": "from", "out": "to"}[direction], cuetext.Text(peer), "")
	}
	return r.Inline()
}
