// Package watching is what somebody who looks on from the host needs of a sandbox.
package watching

import (
	"net"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/internal/arrivals"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/known"
)

// Of gives, of a sandbox that has started, the host's number of its first process, which
// is 0 where that runs under another kernel, and its interfaces.
func Of(s *bound.Sandbox, dom *libvirt.Domain) (first int, nics []arrivals.NIC) {
	if kind := known.Of(s.Backend); kind.Mapped {
		first = kind.First(kind.Process(dom, s.Name))
	}
	for _, i := range s.Domain.Devices.Interfaces {
		if i.Target == nil || i.MAC == nil {
			continue
		}
		if mac, err := net.ParseMAC(i.MAC.Address); err == nil {
			nics = append(nics, arrivals.NIC{Name: i.Target.Dev, MAC: mac})
		}
	}
	return first, nics
}
