package runtime

import (
	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/runtime/internal/planning"
	"github.com/sbx-dev/sbx/runtime/plan"
)

// Plan says what Apply would change for the bundles; with prune, also which
// sandboxes it would take down because no bundle is theirs. It changes nothing.
// Sandboxes that cannot be planned are in the error.
func (r *Runtime) Plan(bundles []*compiler.Bundle, prune bool) (*plan.Plan, error) {
	if err := r.needLocal("plan"); err != nil {
		return nil, err
	}
	return r.planner().Plan(bundles, prune)
}

// Drift finds what others have changed of the sandboxes since sbx applied them:
// of those that the bundles are of, or of all when there are none. Where a
// bundle is the one that was applied, what differs is told by field; otherwise
// by object. It changes nothing.
func (r *Runtime) Drift(bundles []*compiler.Bundle) ([]plan.Change, error) {
	if err := r.needLocal("drift"); err != nil {
		return nil, err
	}
	return r.planner().Drift(bundles)
}

func (r *Runtime) planner() *planning.Planner {
	return &planning.Planner{Folder: r.state(), Drivers: r.drivers, Locks: r.locks, Bind: r.bindHere}
}
