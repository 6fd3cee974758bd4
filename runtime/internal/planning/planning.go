// Package planning says what applying bundles would change, and what others have changed.
package planning

import (
	"errors"
	"fmt"
	"slices"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/internal/addresses"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/drivers"
	"github.com/sbx-dev/sbx/runtime/internal/locks"
	"github.com/sbx-dev/sbx/runtime/internal/lost"
	"github.com/sbx-dev/sbx/runtime/internal/observe"
	"github.com/sbx-dev/sbx/runtime/internal/sequence"
	"github.com/sbx-dev/sbx/runtime/plan"
	"github.com/sbx-dev/sbx/schema"
)

// Planner compares with what there is on this host. It changes nothing.
type Planner struct {
	Folder  state.Folder
	Drivers *drivers.Drivers
	Locks   locks.Locks
	// Bind binds a bundle to this host, with what confines its sandbox, and gives libvirt's
	// connection for it.
	Bind func(*compiler.Bundle) (*bound.Sandbox, *libvirt.Connect, error)
}

// Plan says what applying would change for the bundles; with prune, also which
// sandboxes it would take down because no bundle is theirs. Sandboxes that cannot be planned are in the error.
func (pl *Planner) Plan(bundles []*compiler.Bundle, prune bool) (*plan.Plan, error) {
	p := &plan.Plan{
		Version: plan.Version,
		Prune:   prune,
		Bundles: map[string]string{},
		Live:    map[string]map[string]string{},
		Changes: []plan.Change{},
	}
	o := observe.New(pl.Folder)
	var failed []error
	var planned []*bound.Sandbox
	var steps []sequence.Step
	for _, b := range bundles {
		s, had, err := pl.plan(o, p, b)
		planned, failed = append(planned, s), append(failed, err)
		if err == nil {
			steps = append(steps, sequence.Step{Name: s.Name, Has: had, Wants: s.Metadata, Networks: sequence.Networks(s.Domain)})
		}
	}
	stays := func(sandbox string) bool { _, wanted := p.Bundles[sandbox]; return !wanted && !prune }
	failed = append(failed, addresses.Check(pl.Drivers.EachDriver, planned, stays))
	if prune {
		gone, err := pl.planRemovals(o, p)
		steps, failed = append(steps, gone...), append(failed, err)
	}
	plan.Sort(p.Changes)
	steps = slices.DeleteFunc(steps, func(s sequence.Step) bool { return len(p.Of(s.Name)) == 0 })
	var err error
	p.Before, err = sequence.Before(steps)
	return p, errors.Join(append(failed, err)...)
}

// plan adds what a bundle would change, and gives it bound to this host, and what sbx
// has noted of its sandbox.
func (pl *Planner) plan(o *observe.Observer, p *plan.Plan, b *compiler.Bundle) (*bound.Sandbox, *compiler.Metadata, error) {
	s, conn, err := pl.Bind(b)
	if err != nil {
		return nil, nil, err
	}
	if err := pl.Drivers.CheckKind(s.Name, s.Backend); err != nil {
		return nil, nil, err
	}
	p.Bundles[s.Name] = s.Digest
	have, err := o.Observe(conn, s.Name, s.Backend, s.Metadata)
	if err != nil {
		return nil, nil, err
	}
	if p.Live[s.Name], err = have.Standing(); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	changes, err := observe.Compare(s, have)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	p.Changes = append(p.Changes, changes...)
	return s, have.Metadata, nil
}

// planRemovals adds the sandboxes of sbx that the plan has no bundle for, and
// what is left of those whose domain somebody has removed.
func (pl *Planner) planRemovals(o *observe.Observer, p *plan.Plan) (steps []sequence.Step, err error) {
	seen := map[string]bool{}
	remove := func(name, state string, live map[string]string) {
		p.Live[name] = live
		p.Changes = append(p.Changes, plan.Change{Sandbox: name, Object: observe.StateObject, Live: state, Effect: plan.Remove, Why: observe.WhyGone})
	}
	err = pl.Drivers.EachOwn(func(conn *libvirt.Connect, name string, kind schema.Backend) error {
		seen[name] = true
		if _, wanted := p.Bundles[name]; wanted {
			return nil
		}
		have, err := o.Observe(conn, name, kind, nil)
		if err != nil || have.Metadata == nil {
			return err
		}
		live, err := have.Standing()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		remove(name, have.State, live)
		step, err := sequence.StepDown(conn, name)
		steps = append(steps, step)
		return err
	})
	lost, lostErr := pl.lost().Find(seen)
	for _, c := range lost {
		if _, wanted := p.Bundles[c.Sandbox]; !wanted {
			remove(c.Sandbox, c.Live, map[string]string{observe.StateObject: c.Live})
		}
	}
	return steps, errors.Join(err, lostErr)
}

func (pl *Planner) lost() lost.Lost {
	return lost.Lost{Folder: pl.Folder, Locks: pl.Locks, Drivers: pl.Drivers}
}

// Drift finds what others have changed of the sandboxes since sbx applied them:
// of those that the bundles are of, or of all when there are none. Where a
// bundle is the one that was applied, what differs is told by field; otherwise
// by object. It changes nothing.
func (pl *Planner) Drift(bundles []*compiler.Bundle) ([]plan.Change, error) {
	byName := map[string]*compiler.Bundle{}
	for _, b := range bundles {
		byName[b.Index.Name] = b
	}
	found := []plan.Change{}
	o, seen := observe.New(pl.Folder), map[string]bool{}
	err := pl.Drivers.EachOwn(func(conn *libvirt.Connect, name string, kind schema.Backend) error {
		seen[name] = true
		if len(bundles) > 0 && byName[name] == nil {
			return nil
		}
		return pl.Locks.IfIdle(name, func() error {
			some, err := o.Drift(conn, name, kind, func(have *observe.Observed) ([]plan.Change, error) {
				return pl.fields(have, byName[name])
			})
			found = append(found, some...)
			return err
		})
	})
	lost, lostErr := pl.lost().Find(seen)
	for _, c := range lost {
		if len(bundles) == 0 || byName[c.Sandbox] != nil {
			found = append(found, c)
		}
	}
	plan.Sort(found)
	return found, errors.Join(err, lostErr)
}

// fields are the differences from the bundle, if it is the one that was applied.
func (pl *Planner) fields(have *observe.Observed, b *compiler.Bundle) ([]plan.Change, error) {
	if b == nil || b.Index.Profile != have.Metadata.Profile {
		return nil, nil
	}
	s, _, err := pl.Bind(b)
	if err != nil {
		return nil, err
	}
	return observe.Compare(s, have)
}
