package doctor

import (
	"context"

	"github.com/sbx-dev/sbx/internal/mac"
	policy "github.com/sbx-dev/sbx/runtime/internal/selinux"
)

// selinux finds out what the kernel's policy lets sandboxes be, which may says of one with
// sbx's module; where the kernel has no policy there is nothing to say.
func selinux(may func(kernel mac.Host, mode string) Check) probe {
	return func(_ context.Context, h host) Check {
		kernel := mac.Host(h.root)
		switch {
		case !kernel.HasSELinux():
			return Check{}
		case !policy.HasModule(kernel) && !kernel.SELinuxEnforces():
			return warn(policy.Remedy, "it only warns; when it enforces, sandboxes will not start, as its policy has not sbx's module")
		case !policy.HasModule(kernel):
			return fail(policy.Remedy, "it enforces, and its policy has not sbx's module: sandboxes do not start")
		case !kernel.CanLoadModules():
			return fail("apt install policycoreutils", "services have policies of their own, and semodule, which loads them, is not there: they do not start")
		case kernel.SELinuxEnforces():
			return may(kernel, "it enforces")
		}
		return may(kernel, "it only warns")
	}
}

// machinesMay says what the policy lets machines do.
func machinesMay(_ mac.Host, mode string) Check {
	return ok("%s: a service's machine runs in types of its own, and that of sbx run as svirt_t, which sees of what is exposed /usr and most of /etc, but no service's own files", mode)
}

// containersMay says what the policy lets containers be.
func containersMay(kernel mac.Host, mode string) Check {
	const unknown = "%s, and its policy does not know %s, as which libvirt mounts a container's /dev"
	mounted := policy.UnknownOfContainers(kernel)
	switch {
	case mounted == "":
		return ok("%s: a service's container runs in types of its own, and that of sbx run as %s", mode, policy.ContainerType)
	case kernel.SELinuxEnforces():
		return fail("machines run (-b kvm); the policy's contexts/lxc_contexts names it", unknown+": containers do not start", mode, mounted)
	}
	return ok(unknown+": containers are not confined by it", mode, mounted)
}
