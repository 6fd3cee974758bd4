// Package watching is what somebody who looks on from the host needs of a sandbox.
package watching

import (
	"net"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/internal/arrivals"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/known"
)

// Sandbox is one that has been made and in which no command runs yet.
type Sandbox struct {
	First int             // the host's number of its first process; 0 where that runs under another kernel
	Cards []arrivals.Card // that it has
}

// Of is what somebody needs of a sandbox that has started.
func Of(s *bound.Sandbox, dom *libvirt.Domain) (w Sandbox) {
	if kind := known.Of(s.Backend); kind.Mapped {
		w.First = kind.First(kind.Process(dom, s.Name))
	}
	for _, i := range s.Domain.Devices.Interfaces {
		if i.Target == nil || i.MAC == nil {
			continue
		}
		if mac, err := net.ParseMAC(i.MAC.Address); err == nil {
			w.Cards = append(w.Cards, arrivals.Card{Name: i.Target.Dev, MAC: mac})
		}
	}
	return w
}
