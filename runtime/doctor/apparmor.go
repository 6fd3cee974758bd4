package doctor

import (
	"context"
	"slices"

	"github.com/sbx-dev/sbx/internal/mac"
	"github.com/sbx-dev/sbx/runtime"
	"github.com/sbx-dev/sbx/schema"
)

// appArmor finds out what the kernel and libvirt have of AppArmor. That libvirt
// answers at all is another check.
func appArmor(b schema.Backend) probe {
	return func(_ context.Context, h host) Check {
		kernel := mac.Host(h.root)
		if !kernel.Enabled() {
			return ok("%s", withoutAppArmor(kernel.Modules()))
		}
		if h.runtime.NeedRoot(b) != nil {
			return warn("sudo sbx doctor, for what root would meet", "root alone can have the kernel confine what you run by it")
		}
		confines, err := h.runtime.AppArmorConfines(b)
		switch {
		case err != nil:
			return warn("see the check of libvirt", "the kernel has it on; whether libvirt uses it is not known")
		case !confines:
			return warn("see security_driver in "+runtime.DriverConfig(b)+", and whether aa-status lists libvirtd; restart libvirtd then",
				"the kernel has it on, and libvirt does not use it: sandboxes have one wall less")
		}
		if _, err := mac.Parser(); err != nil {
			return fail("apt install apparmor", "libvirt confines sandboxes by it, and %v", err)
		}
		return ok("each sandbox runs in a profile of its own")
	}
}

// withoutAppArmor says that the kernel does not have it on, and what it has instead.
func withoutAppArmor(modules []string) string {
	const off = "off in this kernel"
	if slices.Contains(modules, "selinux") {
		return off + ", which has SELinux"
	}
	return off
}
