package runtime

import (
	"context"

	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/runtime/inspect"
	"github.com/sbx-dev/sbx/runtime/internal/known"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/schema"
)

// Inspection is all that is known of one sandbox.
type Inspection struct {
	Sandbox
	UUID       string              `json:"uuid"`
	Filters    []string            `json:"filters"`
	Networks   []string            `json:"networks"` // those that its profile owns
	Interfaces []inspect.Interface `json:"interfaces"`
	Mounts     []inspect.Mount     `json:"mounts"`
	IDs        *inspect.IDs        `json:"ids,omitempty"` // of a container with a user namespace
	Run        *manifest.Run       `json:"run,omitempty"` // what the first process was told to run

	Display *manifest.Display `json:"display,omitempty"` // the screen that it was told to have
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
	s, err := r.lister().Look(dom, kind)
	if s == nil || err != nil {
		return nil, virt.LostMeanwhile(name, err)
	}
	one := []Sandbox{*s}
	r.Measure(ctx, one)
	found := &Inspection{Sandbox: one[0], Run: r.runOf(name, kind)}
	if told := r.manifestOf(name, kind); told != nil {
		found.Display = told.Display
	}
	m, err := virt.Metadata(dom)
	if m == nil || err != nil {
		return nil, virt.LostMeanwhile(name, err)
	}
	found.Filters, found.Networks = append([]string{}, m.Filters...), append([]string{}, m.Networks...)
	conn, err := r.drivers.Connect(kind)
	if err != nil {
		return nil, err
	}
	d, err := virt.Describe(dom, 0)
	if err != nil {
		return nil, virt.LostMeanwhile(name, err)
	}
	found.UUID, found.IDs = d.UUID, inspect.IDsOf(d)
	found.Interfaces = inspect.Interfaces(conn, d)
	found.Mounts = inspect.Mounts(r.manifestOf(name, kind), m)
	return found, nil
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
