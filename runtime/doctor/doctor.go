// Package doctor finds out what of sbx works on a host: for each backend what it
// needs, whether it is there, and the command that mends it.
package doctor

import (
	"context"
	"fmt"

	"github.com/sbx-dev/sbx/runtime"
	"github.com/sbx-dev/sbx/schema"
)

// State is how a check came out.
type State string

// The states.
const (
	OK   State = "ok"
	Warn State = "warn" // it works, but slower or with a weaker second line
	Fail State = "fail" // the backend, or a part of it, does not work
)

// Check is one thing that was looked at.
type Check struct {
	Backend schema.Backend `json:"backend"`
	Name    string         `json:"name"`
	State   State          `json:"state"`
	Found   string         `json:"found"`          // what is there
	Mend    string         `json:"mend,omitempty"` // a command or setting that puts it right
}

// host is what checks look at.
type host struct {
	root    string // "/", but in tests
	runtime *runtime.Runtime
}

// probe makes one check; it leaves the backend and the name to its caller. One without a
// state is of what this kind of host does not have, and is not shown.
type probe func(context.Context, host) Check

// probes are all checks, in the order in which they are shown.
var probes = []struct {
	backend schema.Backend
	name    string
	probe   probe
}{
	{schema.LXC, "libvirt", reach(schema.LXC, "apt install libvirt-daemon-system libvirt-daemon-driver-lxc && systemctl start "+runtime.Daemon(schema.LXC))},
	{schema.LXC, "networks", networks(schema.LXC)},
	{schema.LXC, "network rules", networkRules(schema.LXC)},
	{schema.LXC, "state folder", stateFolder(schema.LXC)},
	{schema.LXC, "sbx", otherSbx},
	{schema.LXC, "sbx-init", findInit},
	{schema.LXC, "user namespaces", userNamespaces},
	{schema.LXC, "user ids", subordinateIDs},
	{schema.LXC, "apparmor", appArmor(schema.LXC)},
	{schema.LXC, "selinux", selinux(containersMay)},
	{schema.LXC, "firewall tools", firewallTools},
	{schema.LXC, "bridge filtering", bridgeFiltering},
	{schema.LXC, "inner wall", innerWall},
	{schema.LXC, "ipv6", ipv6},
	{schema.LXC, "screens", screens},
	{schema.KVM, "libvirt", reachMachines},
	{schema.KVM, "networks", networks(schema.KVM)},
	{schema.KVM, "network rules", networkRules(schema.KVM)},
	{schema.KVM, "state folder", stateFolder(schema.KVM)},
	{schema.KVM, "sbx", otherSbx},
	{schema.KVM, "sbx-init", findInit},
	{schema.KVM, "qemu", qemu},
	{schema.KVM, "kvm", hardware},
	{schema.KVM, "kernel", guestKernel},
	{schema.KVM, "qemu user", qemuUser},
	{schema.KVM, "qboot", qboot},
	{schema.KVM, "apparmor", appArmor(schema.KVM)},
	{schema.KVM, "selinux", selinux(machinesMay)},
	{schema.KVM, "firewall tools", firewallTools},
	{schema.KVM, "bridge filtering", bridgeFiltering},
	{schema.KVM, "inner wall", innerWall},
	{schema.KVM, "ipv6", ipv6},
	{schema.KVM, "screens", screens},
}

// Examine makes all checks of the given backends.
func Examine(ctx context.Context, r *runtime.Runtime, backends ...schema.Backend) []Check {
	checks := []Check{}
	for _, b := range backends {
		for _, p := range probes {
			if p.backend != b {
				continue
			}
			c := p.probe(ctx, host{"/", r})
			if c.State == "" {
				continue
			}
			c.Backend, c.Name = b, p.name
			checks = append(checks, c)
		}
	}
	return checks
}

func ok(format string, args ...any) Check {
	return Check{State: OK, Found: fmt.Sprintf(format, args...)}
}

func warn(mend, format string, args ...any) Check {
	return Check{State: Warn, Found: fmt.Sprintf(format, args...), Mend: mend}
}

func fail(mend, format string, args ...any) Check {
	return Check{State: Fail, Found: fmt.Sprintf(format, args...), Mend: mend}
}
