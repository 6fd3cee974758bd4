package compiler

import (
	"fmt"
	"math"
	"net/netip"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/schema"
)

// StateDir is the host folder that holds a folder for each sandbox. Bundles are
// written for it; the runtime rebases them where it works under another one.
const StateDir = state.Default

// cpuPeriod is the span, in microseconds, in which a sandbox may use its share
// of processor time: libvirt's own default.
const cpuPeriod = 100_000

// newDomain is what a container's and a machine's domain have in common.
func (s *sandbox) newDomain() (*libvirtxml.Domain, error) {
	metadata, err := s.metadata.Encode()
	if err != nil {
		return nil, err
	}
	interfaces, err := s.interfaces()
	if err != nil {
		return nil, err
	}
	d := &libvirtxml.Domain{
		Name:        s.Name,
		UUID:        UUID("domain", s.Name),
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

func (s *sandbox) interfaces() ([]libvirtxml.DomainInterface, error) {
	var interfaces []libvirtxml.DomainInterface
	for _, c := range s.cards {
		i, err := domainInterface(c)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", s.Source.Pos(c.path), c.path, err)
		}
		interfaces = append(interfaces, i)
	}
	return interfaces, nil
}

// domainInterface is one network card with its filter. Addresses and routes are
// the backend's to add: libvirt sets them in a container, sbx-init in a machine.
func domainInterface(c networkCard) (libvirtxml.DomainInterface, error) {
	i := libvirtxml.DomainInterface{
		MAC:       &libvirtxml.DomainInterfaceMAC{Address: c.mac.String()},
		Source:    &libvirtxml.DomainInterfaceSource{},
		Target:    &libvirtxml.DomainInterfaceTarget{Dev: c.device},
		FilterRef: c.firewall.Ref(),
	}
	switch {
	case c.Attach != "":
		i.Source.Network = &libvirtxml.DomainInterfaceSourceNetwork{Network: c.Attach}
	case c.Bridge != "":
		i.Source.Bridge = &libvirtxml.DomainInterfaceSourceBridge{Bridge: c.Bridge}
	default:
		return i, fmt.Errorf("neither attach nor bridge is given")
	}
	return i, nil
}

// family is an address's family as libvirt writes it.
func family(a netip.Addr) string {
	if a.Is6() {
		return "ipv6"
	}
	return "ipv4"
}
