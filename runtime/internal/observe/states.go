package observe

import (
	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/runtime/internal/known"
	"github.com/sbx-dev/sbx/runtime/internal/proc"
	"github.com/sbx-dev/sbx/schema"
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

// EndUnseen says whether the process of an active domain is gone from this host, which
// libvirt sees a moment later, and now and then never (9.0, with containers).
func EndUnseen(dom *libvirt.Domain, name string, kind schema.Backend) bool {
	end := proc.WatchEnd(known.Of(kind).Process(dom, name))
	defer end.Close()
	return end.Came()
}
