package runtime

import (
	"context"
	"strings"

	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/within"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/known"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/schema"
)

// Inspection is all that is known of one sandbox.
type Inspection struct {
	Sandbox
	UUID       string        `json:"uuid"`
	Filters    []string      `json:"filters"`
	Networks   []string      `json:"networks"` // those that its profile owns
	Interfaces []Interface   `json:"interfaces"`
	Mounts     []Mount       `json:"mounts"`
	IDs        *IDs          `json:"ids,omitempty"` // of a container with a user namespace
	Run        *manifest.Run `json:"run,omitempty"` // what the first process was told to run

	Display *manifest.Display `json:"display,omitempty"` // the screen that it was told to have
}

// Interface is one of the sandbox's network interfaces.
type Interface struct {
	Device  string `json:"device"` // its end on the host
	MAC     string `json:"mac"`
	Network string `json:"network,omitempty"`
	Bridge  string `json:"bridge,omitempty"`
	Filter  string `json:"filter"`          // that its definition names
	Bound   string `json:"bound,omitempty"` // that it is behind now
}

// Mount is a host path that the sandbox sees.
type Mount struct {
	Source   string `json:"source"`
	Target   string `json:"target"`
	Writable bool   `json:"writable,omitempty"`
}

// IDs is the range of host ids that the sandbox's own stand for.
type IDs struct {
	First uint `json:"first"`
	Count uint `json:"count"`
}

// Inspect gives all that is known of the named sandbox.
func (r *Runtime) Inspect(ctx context.Context, name string) (*Inspection, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	dom, kind, err := r.find(name)
	if err != nil {
		return nil, err
	}
	defer dom.Free()
	s, err := look(dom, kind)
	if s == nil || err != nil {
		return nil, lostMeanwhile(name, err)
	}
	one := []Sandbox{*s}
	r.Measure(ctx, one)
	found := &Inspection{Sandbox: one[0], Run: r.runOf(name, kind)}
	if told := r.manifestOf(name, kind); told != nil {
		found.Display = told.Display
	}
	m, err := virt.Metadata(dom)
	if m == nil || err != nil {
		return nil, lostMeanwhile(name, err)
	}
	found.Filters, found.Networks = append([]string{}, m.Filters...), append([]string{}, m.Networks...)
	conn, err := r.drivers.Connect(kind)
	if err != nil {
		return nil, err
	}
	d, err := virt.Describe(dom, 0)
	if err != nil {
		return nil, lostMeanwhile(name, err)
	}
	found.describe(conn, d)
	found.Mounts = r.mountsOf(name, kind, m)
	return found, nil
}

// mountsOf are the host paths that the sandbox sees, with what is mounted below
// them. Where the sandbox's files are not here, they are what its metadata notes.
func (r *Runtime) mountsOf(name string, kind schema.Backend, notes *compiler.Metadata) []Mount {
	list := []Mount{}
	told := r.manifestOf(name, kind)
	if told == nil {
		for _, s := range notes.Sources {
			if s.Target != "" {
				list = append(list, Mount{s.Path, s.Target, s.Writable})
			}
		}
		return list
	}
	for _, m := range told.Mounts {
		if !bound.IsOfHost(m) {
			continue
		}
		list = append(list, Mount{m.Source, m.Target, m.Writable})
		for _, s := range notes.Sources {
			if !s.Entries && s.Path != m.Source && within.Dir(s.Path, m.Source) {
				list = append(list, Mount{s.Path, m.Target + strings.TrimPrefix(s.Path, m.Source), false})
			}
		}
	}
	return list
}

// runOf is what the sandbox's manifest says of its command; nil where the
// sandbox's files are not here.
func (r *Runtime) runOf(name string, kind schema.Backend) *manifest.Run {
	m := r.manifestOf(name, kind)
	if m == nil {
		return nil
	}
	return &m.Run
}

// manifestOf is what the sandbox's first process was told.
func (r *Runtime) manifestOf(name string, kind schema.Backend) *manifest.Manifest {
	if !r.drivers.Local() {
		return nil
	}
	return known.Of(kind).Orders(r.state().Path(name))
}

// describe takes over what the domain's definition says.
func (i *Inspection) describe(conn *libvirt.Connect, d *libvirtxml.Domain) {
	i.UUID, i.Interfaces = d.UUID, []Interface{}
	if d.IDMap != nil && len(d.IDMap.UIDs) > 0 {
		i.IDs = &IDs{d.IDMap.UIDs[0].Target, d.IDMap.UIDs[0].Count}
	}
	if d.Devices == nil {
		return
	}
	for _, nic := range d.Devices.Interfaces {
		i.Interfaces = append(i.Interfaces, describeInterface(conn, nic))
	}
}

func describeInterface(conn *libvirt.Connect, nic libvirtxml.DomainInterface) Interface {
	var i Interface
	if nic.MAC != nil {
		i.MAC = nic.MAC.Address
	}
	if nic.FilterRef != nil {
		i.Filter = nic.FilterRef.Filter
	}
	if nic.Source != nil && nic.Source.Network != nil {
		i.Network = nic.Source.Network.Network
	}
	if nic.Source != nil && nic.Source.Bridge != nil {
		i.Bridge = nic.Source.Bridge.Bridge
	}
	if nic.Target == nil {
		return i
	}
	i.Device = nic.Target.Dev
	i.Bound, _ = virt.BoundFilter(conn, i.Device) // nothing where it is behind none
	return i
}
