package runtime

import (
	"context"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/claims"
	"github.com/sbx-dev/sbx/runtime/internal/embed"
	"github.com/sbx-dev/sbx/runtime/internal/kinds"
	"github.com/sbx-dev/sbx/runtime/internal/known"
	"github.com/sbx-dev/sbx/runtime/internal/listing"
	"github.com/sbx-dev/sbx/runtime/internal/removal"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/schema/diag"
)

// claim makes the sandbox's name this process's own until release is called.
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
	if err := r.remover().Remove(conn, removal.Sandbox{Name: name, Kind: c.Backend, Metadata: c.Metadata}); err != nil {
		return err
	}
	logs := kinds.Logs
	if c.Embed != "" {
		logs = embed.Logs(c.Embed)
	}
	return known.Of(c.Backend).RemoveLog(logs, name)
}

// embedded says whether the name is a machine's that a process of sbx runs without
// libvirtd, which no libvirtd knows of.
func (r *Runtime) embedded(name string) bool {
	return r.drivers.Local() && listing.Embedded(r.state(), name) != nil
}

// errEmbedded is why a machine without libvirtd cannot be worked on.
func errEmbedded(name string) error {
	return fault.New(diag.Embedded, "%s is the machine of an sbx run without libvirtd, and ends with it: exec and cp work in it", name)
}
