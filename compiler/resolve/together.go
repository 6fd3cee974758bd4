package resolve

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"

	"github.com/sbx-dev/sbx/compiler/identity"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Together lists what more than one of the profiles wants for itself, though on one
// host only one can have it: a name, an address on a network, a network, a port of
// the host, host ids; and what two of them do not want together: a socket between them,
// an order. A profile that was read twice is one.
func Together(profiles []*schema.Profile) diag.List {
	t := &together{given: given(profiles)}
	for _, p := range profiles {
		if slices.ContainsFunc(t.names, func(c claim) bool { return c.profile.Name == p.Name && c.pos() == p.Source.Pos("name") }) {
			continue
		}
		t.add(p)
	}
	t.sockets(profiles)
	t.circle(profiles)
	return t.faults
}

// together is what profiles claim, so far.
type together struct {
	names, ids []claim
	addresses  []addressClaim
	networks   []networkClaim
	ports      []portClaim
	given      map[onLink]bool
	faults     diag.List
}

// onLink is an address on a link.
type onLink struct {
	link    Link
	address netip.Addr
}

// given are the addresses of all profiles.
func given(profiles []*schema.Profile) map[onLink]bool {
	all := map[onLink]bool{}
	for _, p := range profiles {
		for _, i := range Interfaces(p) {
			for _, text := range i.Address {
				if a, err := netip.ParsePrefix(text); err == nil {
					all[onLink{i.link(), a.Addr()}] = true
				}
			}
		}
	}
	return all
}

// claim is a place of a profile that takes something.
type claim struct {
	profile *schema.Profile
	path    string
}

func (c claim) pos() diag.Pos { return c.profile.Source.Pos(c.path) }

// addressClaim takes an address on a link.
type addressClaim struct {
	claim
	onLink
	of *Interface // nil: it is the host's own there
}

// networkClaim makes a network.
type networkClaim struct {
	claim
	name   string
	create *schema.Subnet
}

// portClaim takes ports of the host.
type portClaim struct {
	claim
	port      int
	published []Published
}

// Link is what an interface is on: one of both is given.
type Link struct{ Network, Bridge string }

func (i *Interface) link() Link { return Link{Network: i.Attach, Bridge: i.Bridge} }

func (l Link) String() string {
	if l.Bridge != "" {
		return "bridge " + l.Bridge
	}
	return "network " + l.Network
}

func (t *together) fail(c, first claim, note, help, format string, args ...any) {
	t.faults = append(t.faults, &diag.Diagnostic{
		Pos: c.pos(), Severity: diag.Error, Code: diag.Together, Path: c.path, Message: fmt.Sprintf(format, args...), Help: help,
		Notes: []diag.Note{{Pos: first.pos(), Message: note}},
	})
}

func (t *together) add(p *schema.Profile) {
	if !t.name(claim{p, "name"}) {
		return
	}
	t.hostIDs(claim{p, "users"})
	for _, i := range Interfaces(p) {
		if i.Create != nil {
			t.network(networkClaim{claim{p, i.Path + ".create"}, i.Attach, i.Create})
		}
		for n, text := range i.Address {
			if a, err := netip.ParsePrefix(text); err == nil { // else the schema has refused it
				t.address(addressClaim{claim{p, schema.Elem(i.Path+".address", n)}, onLink{i.link(), a.Addr()}, &i})
			}
		}
		for n, one := range i.Publish {
			if list, err := i.publish(one); err == nil { // else lowering the profile reports it
				t.port(portClaim{claim{p, fmt.Sprintf("%s.publish[%d]", i.Path, n)}, one.TCP, list})
			}
		}
	}
}

func (t *together) name(c claim) bool {
	for _, first := range t.names {
		if first.profile.Name == c.profile.Name {
			t.fail(c, first, "the first profile of this name is here", "give one of them another name, or name one of the two files alone",
				"two profiles are of the sandbox %q", c.profile.Name)
			return false
		}
	}
	t.names = append(t.names, c)
	return true
}

// hostIDs compares the host's ids of containers; those of machines are one each.
func (t *together) hostIDs(c claim) {
	if !c.profile.Backend.MapsUsers() || !c.profile.Users.Namespace {
		return
	}
	base := identity.HostID(c.profile, 0)
	for _, first := range t.ids {
		if other := identity.HostID(first.profile, 0); first.profile.Name != c.profile.Name && max(base, other)-min(base, other) < identity.IDCount {
			t.fail(c, first, fmt.Sprintf("%s has those from %d", first.profile.Name, other), "give one of them a range of its own with users: base",
				"the host ids of %s, %d and the %d after it, are also those of %s", c.profile.Name, base, identity.IDCount-1, first.profile.Name)
			return
		}
	}
	t.ids = append(t.ids, c)
}

func (t *together) address(c addressClaim) {
	for _, first := range t.addresses {
		if first.onLink != c.onLink {
			continue
		}
		if first.of != nil && c.of != nil {
			t.fail(c.claim, first.claim, first.profile.Name+" has it here", "give one of them another one"+t.free(c),
				"%s's address %s on the %s is also that of %s", c.profile.Name, c.address, c.link, first.profile.Name)
			return
		}
		if c.of == nil {
			first, c = c, first
		}
		if c.of != nil { // else both are the host's, and the networks are compared as a whole
			t.fail(c.claim, first.claim, "it is given to the host here", "give it another one"+t.free(c),
				"%s's address %s on the %s is the host's own there", c.profile.Name, c.address, c.link)
		}
		return
	}
	t.addresses = append(t.addresses, c)
}

// free names an address that none of the profiles has, where the profile says which
// the network has.
func (t *together) free(c addressClaim) string {
	if c.of.Create == nil {
		return ""
	}
	for _, host := range prefixesOf(c.of.Create) {
		taken := func(a netip.Addr) bool { return t.given[onLink{c.link, a}] }
		own, ok := c.of.Create.Derive(host, c.profile.Name, c.of.Key, taken)
		if ok && host.Masked().Contains(c.address) {
			return fmt.Sprintf(", such as %q", own)
		}
	}
	return ""
}

// network compares the networks that profiles make. Those of one profile the schema
// has compared.
func (t *together) network(c networkClaim) {
	prefixes := prefixesOf(c.create)
	for _, first := range t.networks {
		switch {
		case first.name == c.name && first.profile != c.profile && !reflect.DeepEqual(first.create, c.create):
			t.fail(c.claim, first.claim, "it is created here first", "write the same in both: a folder's profiles can share it by CUE",
				"%s and %s create the network %q, each in another way", c.profile.Name, first.profile.Name, c.name)
			return
		case first.name != c.name && overlap(prefixes, prefixesOf(first.create)):
			t.fail(c.claim, first.claim, fmt.Sprintf("the network %q is created here", first.name), "give one of them other addresses",
				"the networks %q and %q, which %s and %s create, have addresses in common", c.name, first.name, c.profile.Name, first.profile.Name)
			return
		}
	}
	t.networks = append(t.networks, c)
	for n, p := range prefixes {
		t.address(addressClaim{claim{c.profile, schema.Elem(c.path+".address", n)}, onLink{Link{Network: c.name}, p.Addr()}, nil})
	}
}

// prefixesOf are the host's own addresses on a network.
func prefixesOf(n *schema.Subnet) (list []netip.Prefix) {
	for _, text := range n.Address {
		if p, err := netip.ParsePrefix(text); err == nil {
			list = append(list, p)
		}
	}
	return list
}

func overlap(a, b []netip.Prefix) bool {
	return slices.ContainsFunc(a, func(p netip.Prefix) bool { return slices.ContainsFunc(b, p.Overlaps) })
}

// port compares the host's ports that profiles publish. Those of one profile are
// compared when it is lowered.
func (t *together) port(c portClaim) {
	for _, first := range t.ports {
		if first.profile != c.profile && checkFree(first.published, c.published) != nil {
			t.fail(c.claim, first.claim, first.profile.Name+" publishes it here", "publish another port, or each on an address of its own with on",
				"the host's port %d, which %s publishes, is also published by %s", c.port, c.profile.Name, first.profile.Name)
			return
		}
	}
	t.ports = append(t.ports, c)
}
