// Package sequence says in which order sandboxes are brought from what they are to what
// their bundles say.
package sequence

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strings"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/internal/order"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Step is one sandbox on its way.
type Step struct {
	Name     string
	Has      *compiler.Metadata // nil: it is not there yet
	Wants    *compiler.Metadata // nil: it is to be taken down
	Networks []string           // that it is on then; of one to be taken down, that it is on now
}

// Before gives, by name, the others that come first: of those that start, whom they
// wait for; of those that are taken down, who waits for them; and before one that gets
// an address or a port of the host, whoever has it now.
func Before(steps []Step) (map[string][]string, error) {
	before := order.Before(sandboxes(steps, func(s Step) *compiler.Metadata { return s.Wants }))
	stopping := sandboxes(steps, func(s Step) *compiler.Metadata {
		if s.Wants != nil {
			return nil
		}
		return s.Has
	})
	for name, others := range order.Before(stopping) {
		for _, other := range others {
			before[other] = append(before[other], name)
		}
	}
	given := map[string][]string{} // what moves, by who gives it
	for _, s := range steps {
		for _, other := range steps {
			if what := moves(other, s); len(what) > 0 {
				before[s.Name] = append(before[s.Name], other.Name)
				given[other.Name] = append(given[other.Name], what...)
			}
		}
		slices.Sort(before[s.Name])
		before[s.Name] = slices.Compact(before[s.Name])
	}
	var names []string
	for _, s := range steps {
		names = append(names, s.Name)
	}
	return before, circle(order.Circle(names, before), given)
}

func sandboxes(steps []Step, of func(Step) *compiler.Metadata) (list []order.Sandbox) {
	for _, s := range steps {
		if m := of(s); m != nil {
			list = append(list, order.Sandbox{Name: s.Name, After: m.After, Creates: m.Networks, Uses: s.Networks})
		}
	}
	return list
}

// moves is what one sandbox has, and does not keep, that another one is to have.
func moves(from, to Step) (what []string) {
	if from.Name == to.Name {
		return nil
	}
	keeps, wants := claims(from.Wants), claims(to.Wants)
	for _, c := range claims(from.Has) {
		if !slices.Contains(keeps, c) && slices.ContainsFunc(wants, c.meets) {
			what = append(what, c.String())
		}
	}
	return what
}

// claim is an address, or a port of the host, which only one sandbox can have.
type claim struct{ link, address, port string }

func (c claim) String() string {
	if c.port != "" {
		return "the host's port " + c.port
	}
	return fmt.Sprintf("the address %s on the %s", c.address, c.link)
}

// meets says whether two claims are of the same. A port without an address is that of
// all of them.
func (c claim) meets(d claim) bool {
	if c.port != "" {
		return c.port == d.port && (c.address == d.address || c.address == "" || d.address == "")
	}
	return c == d
}

func claims(m *compiler.Metadata) (list []claim) {
	if m == nil {
		return nil
	}
	for _, a := range m.Address {
		list = append(list, claim{link: a.Link(), address: a.IP})
	}
	for _, p := range m.Publish {
		if address, port, err := net.SplitHostPort(p.Listen); err == nil {
			list = append(list, claim{address: address, port: port})
		}
	}
	return list
}

// circle refuses an order that there is not: somebody gives what it cannot give before
// it gets something itself.
func circle(round []string, given map[string][]string) error {
	for _, name := range round {
		if len(given[name]) > 0 {
			return fault.New(diag.AddressTaken, "%s gives up %s, which another sandbox is to have, and cannot be the first of %s: they wait for each other. Take it down first: sbx down %s",
				name, strings.Join(given[name], ", "), strings.Join(slices.Sorted(slices.Values(round)), ", "), name)
		}
	}
	return nil
}

// Networks are those of libvirt's that a domain is on.
func Networks(d *libvirtxml.Domain) (names []string) {
	if d.Devices == nil {
		return nil
	}
	for _, nic := range d.Devices.Interfaces {
		if source := nic.Source; source != nil && source.Network != nil && source.Network.Network != "" {
			names = append(names, source.Network.Network)
		}
	}
	return slices.Compact(slices.SortedFunc(slices.Values(names), cmp.Compare))
}
