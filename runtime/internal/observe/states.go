package observe

import (
	"libvirt.org/go/libvirt"
)

// StateName is what sbx calls a state of a domain's.
func StateName(s libvirt.DomainState) string {
	switch s {
	case libvirt.DOMAIN_RUNNING, libvirt.DOMAIN_BLOCKED:
		return "running"
	case libvirt.DOMAIN_PAUSED, libvirt.DOMAIN_PMSUSPENDED:
		return "paused"
	case libvirt.DOMAIN_CRASHED:
		return "crashed"
	}
	return "stopped"
}
