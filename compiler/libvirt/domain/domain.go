// Package domain is what libvirt's kinds of domains have in common: which kinds there
// can be, what each is asked, and what of a sandbox is the same in all of them.
package domain

import (
	"fmt"
	"math"
	"net/netip"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler/identity"
	"github.com/sbx-dev/sbx/compiler/resolve"
	"github.com/sbx-dev/sbx/schema"
)

// CPUPeriod is the span, in microseconds, in which a sandbox may use its share
// of processor time: libvirt's own default.
const CPUPeriod = 100_000

// Kind is a kind of domain: what differs between libvirt's drivers.
type Kind struct {
	Backend schema.Backend // who asks for it

	// Domain lowers a sandbox. Everything that it leaves out is closed.
	Domain func(*Sandbox) (*libvirtxml.Domain, error)

	// AppArmor is the profile that confines the sandbox where libvirt confines by
	// AppArmor.
	AppArmor func(*Sandbox) ([]byte, error)

	// SELinux is the policy that does so where libvirt confines by SELinux, and the
	// sandbox stays.
	SELinux func(*Sandbox) ([]byte, error)
}

// Sandbox is a resolved profile with what is libvirt's of it.
type Sandbox struct {
	*resolve.Sandbox
	Metadata *Metadata
	Filters  []Filter // one for each interface, in their order
}

// New compiles and proves the filters of a resolved profile. Its errors are
// diagnostics.
func New(r *resolve.Sandbox) (*Sandbox, error) {
	filters, err := Filters(r.Interfaces)
	if err != nil {
		return nil, err
	}
	return &Sandbox{r, newMetadata(r), filters}, nil
}

// Base is what all kinds of domains have.
func (s *Sandbox) Base() (*libvirtxml.Domain, error) {
	metadata, err := s.Metadata.Encode()
	if err != nil {
		return nil, err
	}
	interfaces, err := s.interfaces()
	if err != nil {
		return nil, err
	}
	d := &libvirtxml.Domain{
		Name:        s.Name,
		UUID:        identity.UUID("domain", s.Name),
		Description: s.Description,
		Metadata:    &libvirtxml.DomainMetadata{XML: metadata},
		Memory:      &libvirtxml.DomainMemory{Value: uint(s.Resources.Memory / 1024), Unit: "KiB"},
		VCPU:        &libvirtxml.DomainVCPU{Value: uint(math.Ceil(s.Resources.CPUs))},
		CPUTune:     &libvirtxml.DomainCPUTune{Shares: cpuShares(s.Resources)},
		Clock:       &libvirtxml.DomainClock{Offset: "utc"},
		OnPoweroff:  "destroy",
		OnReboot:    "destroy",
		OnCrash:     "destroy",
		Devices:     &libvirtxml.DomainDeviceList{Interfaces: interfaces},
	}
	if w := s.Resources.IOWeight; w != 0 {
		d.BlockIOTune = &libvirtxml.DomainBlockIOTune{Weight: uint(w)}
	}
	return d, nil
}

// cpuShares weighs a sandbox's processor time against others', in units of
// cgroup v2. Zero leaves it to the host.
func cpuShares(r schema.Resources) *libvirtxml.DomainCPUTuneShares {
	if r.CPUWeight == 0 {
		return nil
	}
	return &libvirtxml.DomainCPUTuneShares{Value: uint(r.CPUWeight)}
}

func (s *Sandbox) interfaces() ([]libvirtxml.DomainInterface, error) {
	var list []libvirtxml.DomainInterface
	for n, i := range s.Interfaces {
		lowered, err := s.lowerInterface(i, s.Filters[n])
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", s.Source.Pos(i.Path), i.Path, err)
		}
		list = append(list, lowered)
	}
	return list, nil
}

// lowerInterface is one interface with its filter. Addresses and routes are the
// kind's to add: libvirt sets them in a container, sbx-init in a machine.
func (s *Sandbox) lowerInterface(from resolve.Interface, filter Filter) (libvirtxml.DomainInterface, error) {
	i := libvirtxml.DomainInterface{
		MAC:       &libvirtxml.DomainInterfaceMAC{Address: from.MAC.String()},
		Source:    &libvirtxml.DomainInterfaceSource{},
		Target:    &libvirtxml.DomainInterfaceTarget{Dev: from.Device()},
		FilterRef: filter.Ref(),
	}
	switch {
	case from.Attach != "":
		i.Source.Network = &libvirtxml.DomainInterfaceSourceNetwork{Network: from.Attach}
	case from.Bridge != "":
		i.Source.Bridge = &libvirtxml.DomainInterfaceSourceBridge{Bridge: from.Bridge}
	default:
		return i, fmt.Errorf("neither attach nor bridge is given")
	}
	return i, nil
}

// HostFilesystem shows a folder or file of the host.
func HostFilesystem(source, target string, writable bool) libvirtxml.DomainFilesystem {
	f := libvirtxml.DomainFilesystem{
		AccessMode: "passthrough",
		Source:     &libvirtxml.DomainFilesystemSource{Mount: &libvirtxml.DomainFilesystemSourceMount{Dir: source}},
		Target:     &libvirtxml.DomainFilesystemTarget{Dir: target},
	}
	if !writable {
		f.ReadOnly = &libvirtxml.DomainFilesystemReadOnly{}
	}
	return f
}

// Family is an address's family as libvirt writes it.
func Family(a netip.Addr) string {
	if a.Is6() {
		return "ipv6"
	}
	return "ipv4"
}
