package addresses

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/schema/diag"
)

// host is this host's libvirt.
type host struct {
	conns   []*libvirt.Connect // one for each driver; networks they have in common
	held    []holder
	nics    map[string]holder // whose interfaces run, by their MAC addresses
	bridges map[string]string // of libvirt's networks
}

// holder is somebody who has an address.
type holder struct {
	domain string
	ours   bool // sbx made it
	link   string
	ip     netip.Addr
	who    string
}

// Taken is the error of an address that another one has.
type Taken struct {
	Name    string // of the sandbox that would have it
	Address string
	Link    string // in words: "network web"
	Who     string // has it
	Domain  string // that has it; "" where it is none of libvirt's
}

// Code implements fault.Coded.
func (*Taken) Code() string { return diag.AddressTaken }

func (t *Taken) Error() string {
	return fmt.Sprintf("%s: its address %s on the %s is that of %s: give it another one%s", t.Name, t.Address, t.Link, t.Who, t.mend())
}

func (t *Taken) mend() string {
	if t.Domain == "" {
		return ""
	}
	return ", or take " + t.Domain + " down first"
}

// Check refuses sandboxes with an address that another one has, of whichever kind, where
// only those that stay keep theirs. One that could not be bound is nil, and passed over.
func Check(drivers func() ([]*libvirt.Connect, error), list []*bound.Sandbox, stays func(sandbox string) bool) error {
	list = slices.DeleteFunc(list, func(s *bound.Sandbox) bool { return s == nil || len(s.Metadata.Address) == 0 })
	if len(list) == 0 {
		return nil
	}
	host, err := look(drivers)
	if err != nil {
		return err
	}
	for _, s := range list {
		err = errors.Join(err, host.check(s.Name, s.Metadata, stays))
	}
	return err
}

// look reads what libvirt's drivers have.
func look(drivers func() ([]*libvirt.Connect, error)) (*host, error) {
	conns, err := drivers()
	if err != nil {
		return nil, err
	}
	h := &host{conns: conns, nics: map[string]holder{}, bridges: map[string]string{}}
	for _, conn := range conns {
		if err := h.read(conn); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// check refuses a sandbox with an address that another one has. Those of sbx's own
// that do not stay are passed over, as is the one of the sandbox's own name.
func (h *host) check(name string, m *compiler.Metadata, stays func(sandbox string) bool) error {
	var failed []error
	for _, a := range m.Address {
		ip, err := netip.ParseAddr(a.IP)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		holder, err := h.find(name, m, a, ip, stays)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if holder != nil {
			failed = append(failed, &Taken{Name: name, Address: a.IP, Link: a.Link(), Who: holder.who, Domain: holder.domain})
		}
	}
	return errors.Join(failed...)
}

func (h *host) find(name string, m *compiler.Metadata, a compiler.AddressMetadata, ip netip.Addr, stays func(string) bool) (*holder, error) {
	skip := func(o holder) bool { return o.ours && (o.domain == name || !stays(o.domain)) }
	link, err := h.link(a.Network, a.Bridge)
	if err != nil {
		return nil, err
	}
	for _, o := range h.held {
		if o.link == link && o.ip == ip && !skip(o) {
			return &o, nil
		}
	}
	return h.ofNetwork(m, a, ip, skip)
}

// link is one word for what is on one link: a network of libvirt's is the bridge that
// it has, by which others may name it.
func (h *host) link(network, bridge string) (string, error) {
	if bridge != "" {
		return "bridge " + bridge, nil
	}
	if known, ok := h.bridges[network]; ok {
		return known, nil
	}
	link := "network " + network
	for _, conn := range h.conns {
		n, err := conn.LookupNetworkByName(network)
		if virt.ErrorCode(err) == libvirt.ERR_NO_NETWORK || virt.ErrorCode(err) == libvirt.ERR_NO_SUPPORT {
			continue
		}
		if err != nil {
			return "", virt.NetworkError(network, err)
		}
		name, err := n.GetBridgeName()
		n.Free()
		if err == nil && name != "" {
			link = "bridge " + name
		}
		break // one without a bridge, or gone meanwhile, is known by its name alone
	}
	h.bridges[network] = link
	return link, nil
}

// read notes what the domains of one driver have.
func (h *host) read(conn *libvirt.Connect) error {
	domains, err := conn.ListAllDomains(0)
	if err != nil {
		return fmt.Errorf("cannot list domains: %w", virt.Plain(err))
	}
	for i := range domains {
		err := h.readDomain(&domains[i])
		domains[i].Free()
		if err != nil && !virt.IsGone(err) {
			return err
		}
	}
	return nil
}

func (h *host) readDomain(dom *libvirt.Domain) error {
	active, err := dom.IsActive()
	if err != nil {
		return err
	}
	d, err := virt.Described(dom, 0) // as it runs
	if err != nil {
		return err
	}
	m, err := virt.Metadata(dom)
	if err != nil {
		return err
	}
	of := holder{domain: d.Name, ours: m != nil, who: describe(d.Name, m != nil, active)}
	for _, nic := range nics(d) {
		if active && nic.MAC != nil {
			h.nics[strings.ToLower(nic.MAC.Address)] = of
		}
		if err := h.readNIC(nic, of, len(nics(d)) == 1, m); err != nil {
			return err
		}
	}
	return nil
}

func describe(domain string, ours, active bool) string {
	what := ", which "
	if !ours {
		what = ", a domain that sbx did not make and that "
	}
	if active {
		return domain + what + "runs"
	}
	return domain + what + "is stopped"
}

// readNIC notes the addresses of one interface: those that libvirt sets in a
// container, and those that sbx has noted. Older notes have no link, and are sure only
// where the interface is the only one.
func (h *host) readNIC(nic libvirtxml.DomainInterface, of holder, only bool, m *compiler.Metadata) error {
	network, bridge := source(nic)
	if network == "" && bridge == "" {
		return nil
	}
	link, err := h.link(network, bridge)
	if err != nil {
		return err
	}
	of.link = link
	note := func(text string) {
		if ip, err := netip.ParseAddr(text); err == nil {
			of.ip = ip
			h.held = append(h.held, of)
		}
	}
	for _, ip := range nic.IP {
		note(ip.Address)
	}
	if m == nil {
		return nil
	}
	for _, a := range m.Address {
		if a.Network == network && a.Bridge == bridge || only && a.Network == "" && a.Bridge == "" {
			note(a.IP)
		}
	}
	return nil
}
