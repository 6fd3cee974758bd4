package runtime

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/claims"
	"github.com/sbx-dev/sbx/runtime/internal/embed"
	"github.com/sbx-dev/sbx/runtime/internal/kinds"
	"github.com/sbx-dev/sbx/runtime/internal/known"
	"github.com/sbx-dev/sbx/runtime/internal/proc"
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

// listEmbedded are the machines that processes of sbx run by an embedded driver
// now, which no libvirtd knows of.
func (r *Runtime) listEmbedded() ([]Sandbox, error) {
	entries, err := os.ReadDir(r.state().Path(state.Claims))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var list []Sandbox
	for _, e := range entries {
		if s := r.embeddedNamed(e.Name()); s != nil {
			list = append(list, *s)
		}
	}
	return list, nil
}

// embeddedNamed is one of those; nil when there is none of the name.
func (r *Runtime) embeddedNamed(name string) *Sandbox {
	c := claims.Held(r.state(), name)
	if c == nil || c.Embed == "" {
		return nil
	}
	pid := proc.ReadPID(embed.PIDFile(c.Embed, name))
	if pid == 0 {
		return nil
	}
	s := newSandbox(name, c.Backend, c.Metadata, libvirt.DOMAIN_RUNNING)
	s.pid = pid
	return s
}

// withoutDaemon says whether err means that no libvirtd can be used here, where
// machines run without one. Those who are not root are told that there may be more.
func (r *Runtime) withoutDaemon(err error) bool {
	if r.options.URI != "" || err == nil {
		return false
	}
	if os.Geteuid() != 0 {
		r.options.Log("only your own machines are listed; for root's sandboxes, run sbx as root")
		return true
	}
	if virt.ErrorCode(err) != libvirt.ERR_SYSTEM_ERROR {
		return false
	}
	_, stat := os.Stat(r.state().Path(state.Embed))
	return stat == nil
}

// errEmbedded is why a machine without libvirtd cannot be worked on.
func errEmbedded(name string) error {
	return fault.New(diag.Embedded, "%s is the machine of an sbx run without libvirtd, and ends with it: exec and cp work in it", name)
}
