package main

import (
	"os"
	"slices"

	"github.com/sbx-dev/sbx/initramfs/init/machine"
	"github.com/sbx-dev/sbx/initramfs/init/privilege"
	"github.com/sbx-dev/sbx/initramfs/init/proc"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/syscalls"
)

// confine gives up every privilege that the commands must not get: in a container
// on all threads of this process, whose own is then no more than theirs. A machine's
// first process unmounts and powers off at the end; there the walls are around the
// commands alone, and the machine is the one around it.
func confine(m *manifest.Manifest, table *proc.Table, group *os.File) error {
	allowed, err := privilege.ParseSet(m.Run.Capabilities)
	if err != nil {
		return err
	}
	if err := giveKeyring(m, table); err != nil {
		return err
	}
	if group != nil {
		if err := table.Confine(func() error { return machine.Enter(group) }); err != nil {
			return err
		}
	}
	if machine.Here() {
		err = table.Confine(func() error { return privilege.ConfineThread(allowed) })
	} else if err = privilege.Confine(allowed); err == nil {
		err = privilege.GiveUp(setUpOnly(m), allowed)
	}
	if err != nil {
		return err
	}
	return filter(m, table)
}

// giveKeyring gives the commands a session keyring of the sandbox's own, in place of
// the one that whoever started libvirt has left behind. Where the profile opens keys,
// each command has its own.
func giveKeyring(m *manifest.Manifest, table *proc.Table) error {
	if syscalls.Open(m.Run.Syscalls, "keyctl") {
		table.BeforeEach(privilege.NewKeyring)
	}
	return table.Confine(privilege.NewKeyring)
}

// filter closes the system calls that the profile does not open.
func filter(m *manifest.Manifest, table *proc.Table) error {
	theirs, err := privilege.NewFilter(m.Run.Syscalls)
	if err != nil {
		return err
	}
	if machine.Here() {
		return table.Confine(theirs.Thread)
	}
	if !leases(m) {
		return theirs.Process()
	}
	ours, err := privilege.NewFilter(append(slices.Clone(m.Run.Syscalls), leaseCall))
	if err != nil {
		return err
	}
	if err := ours.Process(); err != nil {
		return err
	}
	return table.Confine(theirs.Thread)
}

// leaseCall is what renewing a lease takes, as a word of package syscalls.
const leaseCall = "af_packet"

// leases says whether this process renews leases.
func leases(m *manifest.Manifest) bool {
	return slices.ContainsFunc(m.Interfaces, func(i manifest.Interface) bool { return i.DHCP })
}

// setUpOnly are the capabilities that a container's first process needs for
// nothing but to set up.
func setUpOnly(m *manifest.Manifest) []string {
	list := []string{"setpcap", "sys_admin"}
	if !leases(m) {
		list = append(list, "net_admin")
	}
	return list
}
