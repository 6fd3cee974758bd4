// Package firewall compiles a profile's allow-list into a libvirt nwfilter, and
// proves for each compiled filter that it lets through what the list says and
// nothing more.
//
// A filter has two layers and a packet must pass both. Layer A (ebtables) sees
// every frame and keeps no state. Layer B (iptables) knows connections, but
// libvirt hangs it only into bridged forwarding, so packets that the host itself
// or its routing sends to the sandbox never meet it, and with
// bridge-nf-call-iptables at 0 nothing does. The policy is therefore emitted
// twice. What the missing state of layer A lets through for those sources is
// called the residual; Policy.residual is its exact definition.
//
// The format is https://libvirt.org/formatnwfilter.html; what the page leaves
// open was read off the rules that libvirt 9.0 installs.
package firewall

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Interface is what a policy knows of the network card that it guards.
type Interface struct {
	Filter    string           // the nwfilter's name, an XML NCName
	UUID      string           // the nwfilter's, derived from its name: libvirt refuses a name under another UUID
	MAC       net.HardwareAddr // the card's own, 6 bytes
	Addresses []netip.Addr     // the card's own; empty together with DHCP
	DHCP      bool             // an IPv4 address is leased instead
}

// Rules is an allow-list and where it was written.
type Rules struct {
	Allow  []schema.Rule
	Path   string                  // the list's path in the profile: "network.allow"
	Source schema.Source           // nil when the list comes from no file
	Peers  map[string][]netip.Addr // the addresses of other sandboxes on the same network, by name
}

// Bounds of the nwfilter of one interface. The first is enough for as many rules
// as a profile may have, each for one address and one range of ports.
const (
	MaxFilterRules = 16_000
	maxFilterXML   = 4 << 20 // bytes; VIR_NET_MESSAGE_STRING_MAX of libvirt's src/rpc/virnetprotocol.x
)

// Compiled is a policy with the filter that enforces it.
type Compiled struct {
	Policy *Policy
	Filter *libvirtxml.NWFilter
	XML    []byte  // Filter as libvirt is given it
	Model  *Filter // XML read back, which is what was proven
}

// Compile resolves the rules, lowers them and proves the result. An error holds
// a diag.List when the rules are at fault.
func Compile(i Interface, r Rules) (*Compiled, error) {
	policy, err := Resolve(i, r)
	if err != nil {
		return nil, err
	}
	return policy.Compile()
}

// Compile lowers the policy and proves the result. An error holds a diag.List when
// the rules are too many.
func (p *Policy) Compile() (*Compiled, error) {
	if n := p.size(); n > MaxFilterRules {
		return nil, p.tooMuch("the rules become %d rules of a packet filter, of which sbx takes %d", n, MaxFilterRules)
	}
	filter := p.Lower()
	text, err := filter.Marshal()
	if err != nil {
		return nil, fmt.Errorf("firewall: cannot write filter %s: %w", p.iface.Filter, err)
	}
	c := &Compiled{Policy: p, Filter: filter, XML: []byte(text + "\n")}
	if len(c.XML) > maxFilterXML {
		return nil, p.tooMuch("the rules become a packet filter of %d bytes, of which libvirt takes %d", len(c.XML), maxFilterXML)
	}
	c.Model, err = p.read(c.XML)
	if err != nil {
		return nil, fmt.Errorf("firewall: cannot read the filter back: %w", err)
	}
	switch err := p.Prove(c.Model); {
	case errors.Is(err, errOverlaps):
		return nil, p.tooMuch("%v for sbx to prove what their filter does", err)
	case err != nil:
		return nil, err
	}
	return c, nil
}

// tooMuch says that there are more rules than can be made a filter.
func (p *Policy) tooMuch(format string, args ...any) error {
	return &diag.Diagnostic{Pos: p.pos, Severity: diag.Error, Code: diag.FirewallRule, Path: p.path, Message: fmt.Sprintf(format, args...),
		Help: "a rule is written out for each port, address and own address: use ranges of ports, prefixes in place of odd ranges of addresses, and one rule in place of many that overlap"}
}

// read models the policy's own filter from the XML that libvirt is given.
func (p *Policy) read(filter []byte) (*Filter, error) {
	lookup := func(name string) ([]byte, error) {
		if name != p.iface.Filter {
			return nil, fmt.Errorf("it refers to the filter %s", name)
		}
		return filter, nil
	}
	return Read(p.iface.Filter, lookup, map[string][]string{"IP": {leased.String()}})
}

// Ref is the filterref that the interface in the domain XML must carry, with
// its parameters. Addresses stand in the filter as literals, so libvirt need not
// learn any; its default would let everything in until it has. A leased address
// is the exception: libvirt snoops the lease and until then lets only DHCP pass.
func (c *Compiled) Ref() *libvirtxml.DomainInterfaceFilterRef {
	learning := "none"
	if c.Policy.iface.DHCP {
		learning = "dhcp"
	}
	return &libvirtxml.DomainInterfaceFilterRef{
		Filter:     c.Policy.iface.Filter,
		Parameters: []libvirtxml.DomainInterfaceFilterParam{{Name: "CTRL_IP_LEARNING", Value: learning}},
	}
}

// pos finds where a part of the profile was written.
func (r Rules) pos(path string) diag.Pos {
	if r.Source == nil {
		return diag.Pos{}
	}
	return r.Source.Pos(path)
}
