package runtime

import (
	"context"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/claims"
	"github.com/sbx-dev/sbx/runtime/internal/embed"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
)

// Claim makes the sandbox's name this process's own until release is called.
func (r *Runtime) claim(ctx context.Context, s *bound.Sandbox, conn *libvirt.Connect) (release func(), err error) {
	c := claims.Claim{Backend: s.Backend, Metadata: s.Metadata}
	if r.host.Embed.Is(conn) {
		c.Embed = r.host.Embed.Dir()
	}
	return claims.Make(ctx, r.state(), s.Name, c)
}

// sweep removes what ephemeral sandboxes have left behind whose sbx was killed.
func (r *Runtime) sweep(ctx context.Context) error {
	return claims.Sweep(ctx, r.state(), r.removeLeft)
}

// removeLeft removes a dead process's sandbox. A persistent domain of the name
// is another one, made since.
func (r *Runtime) removeLeft(name string, c claims.Claim) error {
	conn, err := r.drivers.ConnectEphemeral(c.Backend, r.drivers.Connect)
	if err != nil {
		return err
	}
	dom, err := virt.Lookup(conn, name)
	if err != nil {
		return err
	}
	if dom != nil {
		defer dom.Free()
		if persistent, err := virt.IsPersistent(dom); err != nil || persistent {
			return err
		}
	}
	if err := r.remove(conn, name, c.Backend, c.Metadata); err != nil || c.Embed == "" {
		return err
	}
	return embed.RemoveLog(c.Embed, name)
}
