package nwfilter

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/internal/testhost"
)

// container is a sandbox that is no more than a network namespace behind a
// filter, which the test defines itself.
type container struct{ *wire }

const (
	containerName   = "lab"
	containerDevice = "lab0"
)

// startContainer starts a container on the lab's bridge.
func startContainer(t *testing.T) (sandbox, firewall.Interface) {
	t.Helper()
	c := container{}
	closed := c.enforce(t, firewall.Rules{})
	domain := &libvirtxml.Domain{
		Type: "lxc", Name: containerName, Memory: &libvirtxml.DomainMemory{Value: 65536, Unit: "KiB"},
		OS:       &libvirtxml.DomainOS{Type: &libvirtxml.DomainOSType{Type: "exe"}, Init: "/bin/sleep", InitArgs: []string{"infinity"}},
		Features: &libvirtxml.DomainFeatureList{PrivNet: &libvirtxml.DomainFeature{}},
		Devices: &libvirtxml.DomainDeviceList{
			Consoles: []libvirtxml.DomainConsole{{Source: &libvirtxml.DomainChardevSource{Pty: &libvirtxml.DomainChardevSourcePty{}}}},
			Interfaces: []libvirtxml.DomainInterface{{
				MAC:       &libvirtxml.DomainInterfaceMAC{Address: labNIC.MAC.String()},
				Source:    &libvirtxml.DomainInterfaceSource{Bridge: &libvirtxml.DomainInterfaceSourceBridge{Bridge: labBridge}},
				Target:    &libvirtxml.DomainInterfaceTarget{Dev: containerDevice},
				FilterRef: closed.Ref(),
			}},
		},
	}
	text, err := domain.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	virsh(t, "create", writeFile(t, text))
	t.Cleanup(func() { virsh(t, "destroy", containerName) })
	c.wire = wireIn(t, containerNamespace(t))
	testhost.WaitFor(t, "the container's port", time.Minute, func() bool {
		state, err := os.ReadFile("/sys/class/net/" + containerDevice + "/brport/state")
		return err == nil && strings.TrimSpace(string(state)) == "3"
	})
	return c, labNIC
}

func (container) enforce(t *testing.T, rules firewall.Rules) *Compiled {
	t.Helper()
	c, err := Compile(labNIC, rules)
	if err != nil {
		t.Fatal(err)
	}
	virsh(t, "nwfilter-define", writeFile(t, string(c.XML)))
	return c
}

// containerNamespace opens the network namespace of the container's first
// process, which is the only child of the process whose id is the domain's.
func containerNamespace(t *testing.T) string {
	t.Helper()
	controller := strings.TrimSpace(virsh(t, "domid", containerName))
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, stat := range stats {
		data, err := os.ReadFile(stat)
		if err != nil {
			continue // it has ended
		}
		fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
		if fields[1] == controller {
			return filepath.Join(filepath.Dir(stat), "ns/net")
		}
	}
	t.Fatalf("the container's controller %s has no child", controller)
	return ""
}
