package container

import (
	"fmt"
	"reflect"
	"slices"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler/libvirt/domain"
	"github.com/sbx-dev/sbx/compiler/resolve"
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

// ownCapabilities are those that sbx-init has, by name.
func ownCapabilities(s *domain.Sandbox) []string {
	own := slices.Clone(initCapabilities)
	if slices.ContainsFunc(s.Interfaces, func(c resolve.Interface) bool { return c.DHCP }) {
		own = append(own, dhcpCapabilities...)
	}
	if len(s.Secrets) > 0 && s.Run.User != "root" {
		own = append(own, secretCapabilities...)
	}
	own = append(own, setUpCapability)
	if s.Manifest.Ping {
		own = append(own, pingCapability)
	}
	return own
}

// capabilityNames are all that the container has, each once.
func capabilityNames(s *domain.Sandbox) []string {
	return slices.Compact(slices.Sorted(slices.Values(append(ownCapabilities(s), s.Capabilities...))))
}

// capabilities is the allow-list: libvirt drops all others from the
// container's bounding set before its first process starts.
func capabilities(s *domain.Sandbox) (*libvirtxml.DomainFeatureCapabilities, error) {
	list := &libvirtxml.DomainFeatureCapabilities{Policy: "deny"}
	for _, name := range ownCapabilities(s) {
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
