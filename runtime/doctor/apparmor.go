package doctor

import (
	"context"
	"strings"

	"github.com/sbx-dev/sbx/internal/mac"
	"github.com/sbx-dev/sbx/schema"
)

// appArmor finds out what the kernel and libvirt have of AppArmor. That libvirt
// answers at all is another check.
func appArmor(b schema.Backend) probe {
	return func(_ context.Context, h host) Check {
		kernel := mac.Host(h.root)
		if !kernel.Enabled() {
			return ok("the kernel has it not on%s", others(kernel.Modules()))
		}
		confines, err := h.runtime.AppArmorConfines(b)
		switch {
		case err != nil:
			return warn("see the check of libvirt", "the kernel has it on; whether libvirt uses it is not known")
		case !confines:
			return warn(`set security_driver = "apparmor" in /etc/libvirt/qemu.conf and lxc.conf, load libvirtd's profile and restart libvirtd`,
				"the kernel has it on, and libvirt does not use it: sandboxes have one wall less")
		}
		if _, err := mac.Parser(); err != nil {
			return fail("apt install apparmor", "libvirt confines sandboxes by it, and %v", err)
		}
		return ok("each sandbox runs in a profile of its own")
	}
}

// others are the security modules that confine processes in AppArmor's place.
func others(modules []string) string {
	for _, m := range modules {
		switch m {
		case "selinux", "smack", "tomoyo":
			return ", but " + strings.ToUpper(m)
		}
	}
	return ""
}
