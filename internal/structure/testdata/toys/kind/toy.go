// Package toy is a third kind of sandboxes, for a test.
package toy

import (
	"context"
	"errors"
	"net"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/kinds"
)

// Kind is the toys.
var Kind = kinds.Kind{
	Name:    "toy",
	Driver:  "toy",
	Backend: func(*kinds.Host) kinds.Backend { return backend{} },
	Bind:    func(*kinds.Host, *bound.Sandbox) error { return nil },

	Made:      []string{state.Boot},
	Manifest:  state.Boot,
	StopGrace: time.Second,

	Process: func(*libvirt.Domain, string) int { return 0 },
	First:   func(process int) int { return process },
	Memory:  func(*libvirt.Domain, *libvirt.DomainInfo) int64 { return 0 },
}

var errToy = errors.New("a toy does not run")

type backend struct{}

func (backend) Prepare(context.Context, *bound.Sandbox) error { return errToy }
func (backend) Start(*bound.Sandbox, *libvirt.Domain) error   { return errToy }
func (backend) Held() bool                                    { return false }
func (backend) Clear(string) error                            { return errToy }
func (backend) StartTransient(context.Context, *bound.Sandbox, *libvirt.Connect) (*libvirt.Domain, net.Conn, error) {
	return nil, nil, errToy
}
