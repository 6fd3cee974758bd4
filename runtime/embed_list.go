package runtime

import (
	"errors"
	"io/fs"
	"os"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/claims"
	"github.com/sbx-dev/sbx/runtime/internal/embed"
	"github.com/sbx-dev/sbx/runtime/internal/proc"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/schema/diag"
)

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
