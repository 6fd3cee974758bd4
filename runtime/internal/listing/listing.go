// Package listing tells which sandboxes there are, and measures them.
package listing

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/internal/drivers"
	"github.com/sbx-dev/sbx/runtime/internal/jobs"
	"github.com/sbx-dev/sbx/runtime/internal/observe"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/schema"
)

// Sandbox is one sandbox as libvirt has it.
type Sandbox struct {
	Name      string         `json:"name"`
	Backend   schema.Backend `json:"backend"`
	State     string         `json:"state"` // "running", "stopped", "paused" or "crashed"
	Addresses []string       `json:"addresses"`
	Profile   string         `json:"profile"`            // the digest of the profile that it was made from
	Bundle    string         `json:"bundle"`             // the digest of the bundle that it was made from
	Every     string         `json:"every,omitempty"`    // when it runs, of a job
	Next      *time.Time     `json:"next,omitempty"`     // of a job: when its next run begins
	LastExit  *int           `json:"lastExit,omitempty"` // of a job that does not run: the code that its last run ended with
	Measurement

	pid        int            // of a machine without libvirtd
	controller int            // of a container: libvirt's process, as Measure has found it
	service    channel.Status // as its first process has answered Measure
}

// Lister looks at the sandboxes that sbx made.
type Lister struct {
	Folder  state.Folder
	Drivers *drivers.Drivers
	Named   bool              // the caller has named a connection to libvirt
	Log     func(line string) // is told what the list leaves out
	// Dial connects to the first process of a sandbox that runs on this machine.
	Dial func(ctx context.Context, kind schema.Backend, dir string) (*channel.Client, error)
}

// List gives the sandboxes that sbx made, sorted by name. Where there is no
// libvirtd, or it does not let this user in, it gives those that run without one.
func (l *Lister) List() ([]Sandbox, error) {
	list := []Sandbox{}
	var failed error // of a libvirtd that lets us in
	reached := false
	err := l.Drivers.Each(l.Drivers.ConnectToLook, func(conn *libvirt.Connect, kind schema.Backend) (bool, error) {
		reached = true
		some, err := l.listOn(conn, kind)
		list, failed = append(list, some...), err
		return err == nil, nil
	})
	if err != nil && (reached || !l.withoutDaemon(err)) {
		return nil, err
	}
	if failed != nil {
		return nil, failed
	}
	if l.Drivers.Local() {
		some, err := l.listEmbedded()
		if err != nil {
			return nil, err
		}
		list = append(list, some...)
	}
	for i := range list {
		if s := &list[i]; s.Every != "" && l.Drivers.Local() {
			s.Next, s.LastExit = jobs.Look(l.Folder.Path(s.Name), s.Name, s.State == "running")
		}
	}
	slices.SortFunc(list, func(a, b Sandbox) int { return cmp.Compare(a.Name, b.Name) })
	return list, nil
}

func (l *Lister) listOn(conn *libvirt.Connect, kind schema.Backend) ([]Sandbox, error) {
	domains, err := conn.ListAllDomains(0)
	if err != nil {
		return nil, fmt.Errorf("cannot list domains: %w", virt.Plain(err))
	}
	var list []Sandbox
	for i := range domains {
		defer domains[i].Free()
		s, err := l.Look(&domains[i], kind)
		switch {
		case virt.IsGone(err): // meanwhile
		case err != nil:
			return nil, err
		case s != nil:
			list = append(list, *s)
		}
	}
	return list, nil
}

// Look describes one domain; nil when sbx did not make it.
func (l *Lister) Look(dom *libvirt.Domain, kind schema.Backend) (*Sandbox, error) {
	m, err := virt.Metadata(dom)
	if m == nil || err != nil {
		return nil, err
	}
	name, err := dom.GetName()
	if err != nil {
		return nil, err
	}
	state, _, err := dom.GetState()
	if err != nil {
		return nil, err
	}
	if state == libvirt.DOMAIN_RUNNING && l.Drivers.Local() && observe.EndUnseen(dom, name, kind) {
		state = libvirt.DOMAIN_SHUTOFF
	}
	return newSandbox(name, kind, m, state), nil
}

func newSandbox(name string, kind schema.Backend, m *compiler.Metadata, state libvirt.DomainState) *Sandbox {
	return &Sandbox{
		Name:      name,
		Backend:   kind,
		State:     observe.StateName(state),
		Addresses: m.Addresses(),
		Profile:   m.Profile,
		Bundle:    m.Bundle,
		Every:     m.Every,
	}
}
