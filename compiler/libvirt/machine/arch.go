package machine

import (
	"fmt"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/internal/arch"
)

// machineArch is what a machine of one architecture has that others have not.
type machineArch struct {
	machine   string // QEMU's kind of machine
	arguments string // for the guest's kernel

	// acpi is how a machine is switched off. An aarch64 one has that without a
	// firmware (PSCI); libvirt gives it ACPI with UEFI alone.
	acpi bool
}

// machineArchs are by their names. On x86_64 the kernel is also kept from testing
// whether its timer works, which it would do against the clock: an emulated machine
// on a busy host fails that test now and then, and the kernel panics. On KVM, Linux
// leaves the test out by itself.
var machineArchs = map[string]machineArch{
	arch.X86: {machine: "q35", arguments: " no_timer_check", acpi: true},
	arch.ARM: {machine: "virt"},
}

// BindArch completes a machine's domain, compiled from a profile that names no
// architecture, for one: "x86_64" or "aarch64". One that has an architecture must
// be of this one.
func BindArch(d *libvirtxml.Domain, name string) error {
	a, ok := machineArchs[name]
	switch {
	case !ok:
		return fmt.Errorf("sbx has no machines of the architecture %q", name)
	case d.OS == nil || d.OS.Type == nil || d.Features == nil:
		return fmt.Errorf("the domain is no machine")
	case d.OS.Type.Arch == name:
		return nil
	case d.OS.Type.Arch != "":
		return fmt.Errorf("the domain is of the architecture %q, not %s", d.OS.Type.Arch, name)
	}
	d.OS.Type.Arch, d.OS.Type.Machine = name, a.machine
	d.OS.Cmdline += a.arguments
	if a.acpi {
		d.Features.ACPI = &libvirtxml.DomainFeature{}
	}
	return nil
}
