package compiler

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"path"
	"reflect"
	"slices"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// initCapabilities are held by sbx-init alone, which drops them before it runs
// anything else: it switches to the command's user, gives the command its own
// capabilities and signals it.
var initCapabilities = []string{"kill", "setgid", "setpcap", "setuid"}

// dhcpCapabilities are sbx-init's too, where it must ask for an address, and
// secretCapabilities where it must give secrets to a user other than root.
var (
	dhcpCapabilities   = []string{"net_admin", "net_raw"}
	secretCapabilities = []string{"chown"}
)

// pingCapability is sbx-init's too, where it opens echo requests to everyone: it is
// what the settings of a network namespace take.
const pingCapability = "net_admin"

// setUpCapability is sbx-init's too, to hide what /proc shows of the host and to mount
// one file over libvirt's /proc/meminfo, which many programs cannot read. It gives
// it up before anything of the profile's runs.
const setUpCapability = "sys_admin"

// lxcDomain lowers a profile to a container: an empty read-only root with one
// mount for each path, in namespaces of its own. Everything that it leaves out
// is closed. See libvirt's "LXC container driver" and "Domain XML format" pages.
func (s *sandbox) lxcDomain() (*libvirtxml.Domain, error) {
	d, err := s.newDomain()
	if err != nil {
		return nil, err
	}
	capabilities, err := s.lxcCapabilities()
	if err != nil {
		return nil, err
	}
	d.Type = "lxc"
	d.OS = &libvirtxml.DomainOS{
		Type: &libvirtxml.DomainOSType{Type: "exe"},
		Init: "/.sbx/init",
	}
	d.Features = &libvirtxml.DomainFeatureList{
		PrivNet:      &libvirtxml.DomainFeature{},
		Capabilities: capabilities,
	}
	d.CPUTune.Period = &libvirtxml.DomainCPUTunePeriod{Value: cpuPeriod}
	d.CPUTune.Quota = &libvirtxml.DomainCPUTuneQuota{Value: int64(s.Resources.CPUs * cpuPeriod)}
	d.IDMap = lxcIDMap(s.Profile)
	d.Devices.Filesystems = lxcFilesystems(s.Name, s.manifest.Mounts)
	d.Devices.Consoles = []libvirtxml.DomainConsole{lxcConsole()}
	for i, c := range s.cards {
		if err := lxcAddresses(&d.Devices.Interfaces[i], c); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", s.Source.Pos(c.path), c.path, err)
		}
	}
	return d, nil
}

// lxcIDMap maps the sandbox's ids to host ids that nothing else has.
func lxcIDMap(p *schema.Profile) *libvirtxml.DomainIDMap {
	if !p.Users.Namespace {
		return nil
	}
	ids := []libvirtxml.DomainIDMapRange{{Start: 0, Target: uint(HostID(p, 0)), Count: IDCount}}
	return &libvirtxml.DomainIDMap{UIDs: ids, GIDs: ids}
}

// HostID is the host's id for an id inside the sandbox.
func HostID(p *schema.Profile, id uint32) uint32 {
	switch {
	case !p.Users.Namespace:
		return id
	case p.Users.Base != 0:
		return p.Users.Base + id
	}
	return IDBase(p.Name) + id
}

// lxcFilesystems mounts the root, sbx's own folder and everything that the
// manifest names. A container's first process mounts nothing: it could not, and
// the walls are not its to build.
func lxcFilesystems(name string, mounts []manifest.Mount) []libvirtxml.DomainFilesystem {
	list := []libvirtxml.DomainFilesystem{
		hostFilesystem(path.Join(StateDir, name, state.Root), "/", false),
		hostFilesystem(path.Join(StateDir, name, state.Own), "/.sbx", false),
		hiddenGroups(),
	}
	for _, m := range mounts {
		switch m.Kind {
		case manifest.Export:
			list = append(list, hostFilesystem(m.Source, m.Target, m.Writable))
		case manifest.Inline:
			list = append(list, hostFilesystem(InlineFile(path.Join(StateDir, name, state.Files), m.Target), m.Target, false))
		case manifest.Tmpfs:
			list = append(list, ramFilesystem(m))
		}
	}
	return list
}

// InlineFile is the host file in dir that holds the content of the inline mount
// at target.
func InlineFile(dir, target string) string {
	return path.Join(dir, hex.EncodeToString(hash("inline file", target))[:16])
}

func hostFilesystem(source, target string, writable bool) libvirtxml.DomainFilesystem {
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

// hiddenGroups covers the control groups that libvirt mounts inside. Under cgroup
// v2 it gives their files to the mapped root, who could then lift the sandbox's
// own limits (virCgroupV2SetOwner in libvirt's vircgroupv2.c).
func hiddenGroups() libvirtxml.DomainFilesystem {
	f := ramFilesystem(manifest.Mount{Target: "/sys/fs/cgroup", Size: 4096})
	f.ReadOnly = &libvirtxml.DomainFilesystemReadOnly{}
	return f
}

func ramFilesystem(m manifest.Mount) libvirtxml.DomainFilesystem {
	return libvirtxml.DomainFilesystem{
		AccessMode: "passthrough",
		Source:     &libvirtxml.DomainFilesystemSource{RAM: &libvirtxml.DomainFilesystemSourceRAM{Usage: uint(m.Size / 1024), Units: "KiB"}},
		Target:     &libvirtxml.DomainFilesystemTarget{Dir: m.Target},
	}
}

// lxcConsole is there because libvirt starts no container without one; sbx-init
// says on it what it cannot say to the host otherwise.
func lxcConsole() libvirtxml.DomainConsole {
	return libvirtxml.DomainConsole{
		Source: &libvirtxml.DomainChardevSource{Pty: &libvirtxml.DomainChardevSourcePty{}},
		Target: &libvirtxml.DomainConsoleTarget{Type: "lxc"},
	}
}

// lxcAddresses has libvirt set the card's addresses and routes before the first
// process starts, so that nothing inside needs CAP_NET_ADMIN.
func lxcAddresses(i *libvirtxml.DomainInterface, c networkCard) error {
	i.Guest = &libvirtxml.DomainInterfaceGuest{Dev: c.guest}
	i.Link = &libvirtxml.DomainInterfaceLink{State: "up"} // also without an address, for DHCP
	for _, text := range c.Address {
		a, err := netip.ParsePrefix(text)
		if err != nil {
			return err
		}
		i.IP = append(i.IP, libvirtxml.DomainInterfaceIP{Address: a.Addr().String(), Family: family(a.Addr()), Prefix: uint(a.Bits())})
	}
	for _, text := range c.Gateway {
		via, err := netip.ParseAddr(text)
		if err != nil {
			return err
		}
		// libvirt wants the destination written out for a default route.
		anywhere := netip.IPv4Unspecified()
		if via.Is6() {
			anywhere = netip.IPv6Unspecified()
		}
		i.Route = append(i.Route, domainRoute(netip.PrefixFrom(anywhere, 0), text))
	}
	for _, r := range c.Routes {
		to, err := netip.ParsePrefix(r.To)
		if err != nil {
			return err
		}
		i.Route = append(i.Route, domainRoute(to, r.Via))
	}
	return nil
}

func domainRoute(to netip.Prefix, via string) libvirtxml.DomainInterfaceRoute {
	return libvirtxml.DomainInterfaceRoute{
		Family:  family(to.Addr()),
		Address: to.Addr().String(),
		Prefix:  uint(to.Bits()),
		Gateway: via,
	}
}

// ownCapabilities are those that sbx-init has, by name.
func (s *sandbox) ownCapabilities() []string {
	own := slices.Clone(initCapabilities)
	if slices.ContainsFunc(s.cards, func(c networkCard) bool { return c.DHCP }) {
		own = append(own, dhcpCapabilities...)
	}
	if len(s.Secrets) > 0 && s.Run.User != "root" {
		own = append(own, secretCapabilities...)
	}
	own = append(own, setUpCapability)
	if s.manifest.Ping {
		own = append(own, pingCapability)
	}
	return own
}

// capabilityNames are all that the container has, each once.
func (s *sandbox) capabilityNames() []string {
	return slices.Compact(slices.Sorted(slices.Values(append(s.ownCapabilities(), s.Capabilities...))))
}

// lxcCapabilities is the allow-list: libvirt drops all others from the
// container's bounding set before its first process starts.
func (s *sandbox) lxcCapabilities() (*libvirtxml.DomainFeatureCapabilities, error) {
	list := &libvirtxml.DomainFeatureCapabilities{Policy: "deny"}
	for _, name := range s.ownCapabilities() {
		setCapability(list, name)
	}
	for i, name := range s.Capabilities {
		if setCapability(list, name) {
			continue
		}
		at := fmt.Sprintf("capabilities[%d]", i)
		return nil, &diag.Diagnostic{
			Pos:      s.Source.Pos(at),
			Severity: diag.Error,
			Code:     "SBX0301",
			Path:     at,
			Message:  fmt.Sprintf("libvirt's container driver cannot grant %q", name),
			Help:     "leave it out, or use backend: \"kvm\", where a machine has its own kernel",
		}
	}
	return list, nil
}

// setCapability switches on the field whose XML element is name. It says whether
// there is one: libvirtxml has a field for each capability that it can write.
func setCapability(list *libvirtxml.DomainFeatureCapabilities, name string) bool {
	v := reflect.ValueOf(list).Elem()
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("xml") == name {
			v.Field(i).Set(reflect.ValueOf(&libvirtxml.DomainFeatureCapability{State: "on"}))
			return true
		}
	}
	return false
}
