package runtime

import (
	"fmt"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/confinement"
	"github.com/sbx-dev/sbx/runtime/internal/kinds"
	"github.com/sbx-dev/sbx/runtime/internal/known"
	"github.com/sbx-dev/sbx/runtime/internal/removal"
	"github.com/sbx-dev/sbx/runtime/internal/settings"
	"github.com/sbx-dev/sbx/schema"
)

// bind reads a bundle and binds it to this host.
func (r *Runtime) bind(b *compiler.Bundle) (*bound.Sandbox, error) {
	of, err := settings.Read(settings.Path)
	if err != nil {
		return nil, err
	}
	s, err := bound.Read(b, r.state(), of, r.options.Log)
	if err != nil {
		return nil, err
	}
	kind, err := known.Named(s.Backend)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	return s, kind.Bind(&r.host, s)
}

// bindHere binds a bundle with what confines its sandbox, and gives libvirt's connection
// for it.
func (r *Runtime) bindHere(b *compiler.Bundle) (*bound.Sandbox, *libvirt.Connect, error) {
	conn, err := r.drivers.Connect(schema.Backend(b.Index.Backend))
	if err != nil {
		return nil, nil, err
	}
	s, err := r.bind(b)
	if err != nil {
		return nil, nil, err
	}
	return s, conn, confinement.Bind(s, conn, r.host.Embed)
}

// backend does the work of a kind.
func (r *Runtime) backend(kind schema.Backend) (kinds.Backend, error) {
	k, err := known.Named(kind)
	if err != nil {
		return nil, err
	}
	return k.Backend(&r.host), nil
}

// remover takes sandboxes away again.
func (r *Runtime) remover() *removal.Remover {
	return &removal.Remover{Host: &r.host, Drivers: r.drivers, Locks: r.locks}
}

// remove takes a bound sandbox away.
func (r *Runtime) remove(conn *libvirt.Connect, s *bound.Sandbox) error {
	return r.remover().Remove(conn, removalOf(s))
}

func removalOf(s *bound.Sandbox) removal.Sandbox {
	return removal.Sandbox{Name: s.Name, Kind: s.Backend, Metadata: s.Metadata}
}
