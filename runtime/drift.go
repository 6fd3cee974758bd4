package runtime

import (
	"errors"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/runtime/internal/confinement"
	"github.com/sbx-dev/sbx/runtime/internal/observe"
	"github.com/sbx-dev/sbx/runtime/plan"
	"github.com/sbx-dev/sbx/schema"
)

// Drift finds what others have changed of the sandboxes since sbx applied them:
// of those that the bundles are of, or of all when there are none. Where a
// bundle is the one that was applied, what differs is told by field; otherwise
// by object. It changes nothing.
func (r *Runtime) Drift(bundles []*compiler.Bundle) ([]plan.Change, error) {
	if err := r.needLocal("drift"); err != nil {
		return nil, err
	}
	byName := map[string]*compiler.Bundle{}
	for _, b := range bundles {
		byName[b.Index.Name] = b
	}
	found := []plan.Change{}
	o, seen := observe.New(r.state()), map[string]bool{}
	err := r.eachOwn(func(conn *libvirt.Connect, name string, kind schema.Backend) error {
		seen[name] = true
		if len(bundles) > 0 && byName[name] == nil {
			return nil
		}
		return r.locks.IfIdle(name, func() error {
			some, err := o.Drift(conn, name, kind, func(have *observe.Observed) ([]plan.Change, error) {
				return r.fields(conn, have, byName[name])
			})
			found = append(found, some...)
			return err
		})
	})
	lost, lostErr := r.lost(seen)
	for _, c := range lost {
		if len(bundles) == 0 || byName[c.Sandbox] != nil {
			found = append(found, c)
		}
	}
	plan.Sort(found)
	return found, errors.Join(err, lostErr)
}

// fields are the differences from the bundle, if it is the one that was applied.
func (r *Runtime) fields(conn *libvirt.Connect, have *observe.Observed, b *compiler.Bundle) ([]plan.Change, error) {
	if b == nil || b.Index.Profile != have.Metadata.Profile {
		return nil, nil
	}
	s, err := r.bind(b)
	if err == nil {
		err = confinement.Bind(s, conn, r.host.Embed)
	}
	if err != nil {
		return nil, err
	}
	return observe.Compare(s, have)
}
