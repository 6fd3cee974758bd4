// Package nwfilter compiles a resolved allow-list into a libvirt nwfilter, and
// proves for each compiled filter that it lets through what the list says and
// nothing more.
//
// A filter has two layers and a packet must pass both. Ebtables sees
// every frame and keeps no state. Iptables knows connections, but
// libvirt hangs it only into bridged forwarding, so packets that the host itself
// or its routing sends to the sandbox never meet it, and with
// bridge-nf-call-iptables at 0 nothing does. The policy is therefore emitted
// twice. What the missing state of ebtables lets through for those sources is
// called the residual; Policy.Residual is its exact definition.
//
// The format is https://libvirt.org/formatnwfilter.html; what the page leaves
// open was read off the rules that libvirt 9.0 installs.
package nwfilter

import (
	"errors"
	"fmt"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/compiler/firewall/space"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Bounds of the nwfilter of one interface. The first is enough for as many rules
// as a profile may have, each for one address and one range of ports.
const (
	MaxFilterRules = 16_000
	maxFilterXML   = 4 << 20 // bytes; VIR_NET_MESSAGE_STRING_MAX of libvirt's src/rpc/virnetprotocol.x
)

// Compiled is a policy with the filter that enforces it.
type Compiled struct {
	Policy *firewall.Policy
	Filter *libvirtxml.NWFilter
	XML    []byte  // Filter as libvirt is given it
	Model  *Filter // XML read back, which is what was proven
}

// Compile resolves the rules, lowers them and proves the result. An error holds
// a diag.List when the rules are at fault.
func Compile(i firewall.Interface, r firewall.Rules) (*Compiled, error) {
	policy, err := firewall.Resolve(i, r)
	if err != nil {
		return nil, err
	}
	parts, err := Parts(policy)
	if err != nil {
		return nil, err
	}
	return Lower(policy, parts)
}

// Parts are what a policy's filter is made of. An error holds a diag.List when they are
// too many.
func Parts(p *firewall.Policy) ([]firewall.Part, error) {
	parts := p.Smallest()
	if n := size(p, parts); n > MaxFilterRules {
		return nil, tooMuch(p, "the rules become %d rules of a packet filter, of which sbx takes %d", n, MaxFilterRules)
	}
	return parts, nil
}

// Lower lowers a policy's Parts and proves the result. An error holds a diag.List when
// the filter is too large.
func Lower(p *firewall.Policy, parts []firewall.Part) (*Compiled, error) {
	c, err := written(p, write(p, parts))
	if err != nil {
		return nil, err
	}
	switch err := Prove(p, c.Model); {
	case errors.Is(err, space.ErrOverlaps):
		return nil, tooMuch(p, "%v for sbx to prove what their filter does", err)
	case err != nil:
		return nil, err
	}
	return c, nil
}

// written is a filter as libvirt is given it, read back.
func written(p *firewall.Policy, filter *libvirtxml.NWFilter) (*Compiled, error) {
	text, err := filter.Marshal()
	if err != nil {
		return nil, fmt.Errorf("firewall: cannot write filter %s: %w", p.Interface().Filter, err)
	}
	c := &Compiled{Policy: p, Filter: filter, XML: []byte(text + "\n")}
	if len(c.XML) > maxFilterXML {
		return nil, tooMuch(p, "the rules become a packet filter of %d bytes, of which libvirt takes %d", len(c.XML), maxFilterXML)
	}
	c.Model, err = read(p, c.XML)
	if err != nil {
		return nil, fmt.Errorf("firewall: cannot read the filter back: %w", err)
	}
	return c, nil
}

// tooMuch says that there are more rules than can be made a filter.
func tooMuch(p *firewall.Policy, format string, args ...any) error {
	pos, path := p.Place()
	return &diag.Diagnostic{Pos: pos, Severity: diag.Error, Code: diag.FirewallRule, Path: path, Message: fmt.Sprintf(format, args...),
		Help: "a rule is written out for each port, address and own address: use ranges of ports, prefixes in place of odd ranges of addresses, and one rule in place of many that overlap"}
}

// read models the policy's own filter from the XML that libvirt is given.
func read(p *firewall.Policy, filter []byte) (*Filter, error) {
	lookup := func(name string) ([]byte, error) {
		if name != p.Interface().Filter {
			return nil, fmt.Errorf("it refers to the filter %s", name)
		}
		return filter, nil
	}
	return Read(p.Interface().Filter, lookup, map[string][]string{"IP": {space.Leased.String()}})
}

// Ref is the filterref that the interface in the domain XML must carry, with
// its parameters. Addresses stand in the filter as literals, so libvirt need not
// learn any; its default would let everything in until it has. A leased address
// is the exception: libvirt snoops the lease and until then lets only DHCP pass.
func (c *Compiled) Ref() *libvirtxml.DomainInterfaceFilterRef {
	learning := "none"
	if c.Policy.Interface().DHCP {
		learning = "dhcp"
	}
	return &libvirtxml.DomainInterfaceFilterRef{
		Filter:     c.Policy.Interface().Filter,
		Parameters: []libvirtxml.DomainInterfaceFilterParam{{Name: "CTRL_IP_LEARNING", Value: learning}},
	}
}
