package runtime

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/confinement"
	"github.com/sbx-dev/sbx/runtime/internal/locks"
	"github.com/sbx-dev/sbx/runtime/internal/sequence"
	"github.com/sbx-dev/sbx/runtime/plan"
)

// ApplyOptions say how Apply works.
type ApplyOptions struct {
	// Parallel is how many sandboxes are worked on at once; less than one
	// means one.
	Parallel int
	// Exact refuses a sandbox that is no longer as the plan saw it, and leaves
	// it alone. Otherwise it is made what its bundle says, whatever that takes
	// by now.
	Exact bool
	// KeepFailed leaves new sandboxes that fail to start as Up's option of the
	// name does.
	KeepFailed bool
	// Started and Done are told of each sandbox, one call at a time. They may
	// be nil.
	Started func(name string)
	Done    func(Outcome)
}

// Outcome is what became of one sandbox.
type Outcome struct {
	Name    string
	Up      *UpResult // nil unless it is up
	Removed bool
	Err     error
}

// Apply makes the changes of a plan, which was made for the bundles. One
// sandbox's error stops none but those that the plan has come after it. The outcomes are in the order of the
// names; sandboxes that need nothing have none.
func (r *Runtime) Apply(ctx context.Context, p *plan.Plan, bundles []*compiler.Bundle, o ApplyOptions) []Outcome {
	byName := map[string]*compiler.Bundle{}
	for _, b := range bundles {
		byName[b.Index.Name] = b
	}
	var names []string
	for _, name := range p.Sandboxes() {
		if len(p.Of(name)) > 0 {
			names = append(names, name)
		}
	}
	a := &applying{r: r, plan: p, bundles: byName, options: o}
	policed := a.offer(ctx, names)
	var outcomes []Outcome
	sequence.Run(names, p.Before, o.Parallel, func(name string, stopped error) error {
		o := a.one(ctx, name, stopped)
		a.told.Lock()
		defer a.told.Unlock()
		outcomes = append(outcomes, o)
		return o.Err
	})
	slices.SortFunc(outcomes, func(a, b Outcome) int { return cmp.Compare(a.Name, b.Name) })
	a.withdraw(ctx, policed, outcomes)
	return outcomes
}

// NotBegun is the error of a sandbox that comes after one that failed; nil where none
// did.
func NotBegun(name string, before []string, failed map[string]bool) error {
	return sequence.NotBegun(name, before, failed)
}

// applying is one Apply under way.
type applying struct {
	r       *Runtime
	plan    *plan.Plan
	bundles map[string]*compiler.Bundle
	options ApplyOptions
	told    sync.Mutex
}

// one works on one sandbox, unless it is not to begin.
func (a *applying) one(ctx context.Context, name string, stopped error) (o Outcome) {
	a.tell(func() {
		if a.options.Started != nil {
			a.options.Started(name)
		}
	})
	defer func() {
		a.tell(func() {
			if a.options.Done != nil {
				a.options.Done(o)
			}
		})
	}()
	o = Outcome{Name: name, Err: stopped}
	if stopped != nil {
		return o
	}
	if o.Err = context.Cause(ctx); o.Err != nil {
		o.Err = fmt.Errorf("%s: not begun: %w", name, o.Err)
		return o
	}
	if b := a.bundles[name]; b != nil {
		var expect map[string]string
		if a.options.Exact {
			expect = a.plan.Live[name]
		}
		var options []UpOption
		if a.options.KeepFailed {
			options = []UpOption{KeepFailed}
		}
		o.Up, o.Err = a.r.up(ctx, b, expect, options)
		return o
	}
	if !plan.Needs(a.plan.Of(name), plan.Remove) {
		o.Err = fmt.Errorf("%s: the plan is about it, but there is no profile of this name", name)
		return o
	}
	o.Removed, o.Err = a.r.Down(ctx, name)
	return o
}

// offer puts the policies of new sandboxes into SELinux's at once, and gives whose. What
// cannot be put there, the sandbox's own start tells of.
func (a *applying) offer(ctx context.Context, names []string) []string {
	if !confinement.ThisHost.HasSELinux() || !a.r.drivers.Local() {
		return nil
	}
	var fresh []*bound.Sandbox
	for _, name := range names {
		if b := a.bundles[name]; b != nil && plan.Needs(a.plan.Of(name), plan.Create) {
			if s, _, err := a.r.bindHere(b); err == nil {
				fresh = append(fresh, s)
			}
		}
	}
	unlock, err := a.r.locks.Lock(ctx, locks.All)
	if err != nil {
		return nil
	}
	defer unlock()
	return confinement.OfferTogether(fresh)
}

// withdraw takes those away again whose sandboxes did not come to be.
func (a *applying) withdraw(ctx context.Context, names []string, outcomes []Outcome) {
	var left []string
	for _, o := range outcomes {
		if o.Err != nil && slices.Contains(names, o.Name) {
			left = append(left, o.Name)
		}
	}
	// It does not end with ctx: what was interrupted is to leave nothing.
	if err := a.r.remover().Policies(context.WithoutCancel(ctx), left, a.r.drivers.HasDomain); err != nil {
		a.r.options.Log(fmt.Sprintf("%s: %v: sbx down tries again", strings.Join(left, ", "), err))
	}
}

func (a *applying) tell(f func()) {
	a.told.Lock()
	defer a.told.Unlock()
	f()
}
