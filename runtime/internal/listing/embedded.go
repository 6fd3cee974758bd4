package listing

import (
	"os"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/internal/claims"
	"github.com/sbx-dev/sbx/runtime/internal/drivers"
	"github.com/sbx-dev/sbx/runtime/internal/embed"
	"github.com/sbx-dev/sbx/runtime/internal/proc"
)

// listEmbedded are the machines that processes of sbx run by an embedded driver
// now, which no libvirtd knows of.
func (l *Lister) listEmbedded() ([]Sandbox, error) {
	names, err := claims.Names(l.Folder)
	if err != nil {
		return nil, err
	}
	var list []Sandbox
	for _, name := range names {
		if s := Embedded(l.Folder, name); s != nil {
			list = append(list, *s)
		}
	}
	return list, nil
}

// Embedded is one of the machines that processes of sbx run by an embedded driver; nil
// when there is none of the name.
func Embedded(folder state.Folder, name string) *Sandbox {
	c := claims.Held(folder, name)
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

// withoutDaemon says whether err, of the first driver that was asked, is no error here, where
// machines run without libvirtd. Whoever is not root is told that there may be more.
func (l *Lister) withoutDaemon(err error) bool {
	if l.Named || err == nil {
		return false
	}
	if os.Geteuid() != 0 {
		l.Log("only your own machines are listed; for root's sandboxes, run sbx as root")
		return true
	}
	if !drivers.NobodyToAsk(err) {
		return false
	}
	_, stat := os.Stat(l.Folder.Path(state.Embed))
	return stat == nil
}
