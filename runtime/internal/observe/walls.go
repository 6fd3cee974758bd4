package observe

import (
	"cmp"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/runtime/internal/innerwall"
	"github.com/sbx-dev/sbx/runtime/plan"
)

const (
	whyGuard    = "a process of sbx's watches inner walls, and mends them"
	whyWall     = "the kernel takes an inner wall in one transaction"
	whyWallGone = "the filter enforces all of it alone"
)

// wallOf is the fingerprint of the inner wall behind a filter; "" where there is none
// and none was noted.
func wallOf(noted *compiler.Metadata, filter string) (string, error) {
	if filter == "" {
		return "", nil
	}
	now, err := innerwall.Print(filter)
	if _, was := Noted(noted)[WallObject(filter)]; now == innerwall.Absent && !was {
		return "", err
	}
	return now, err
}

// LookAtWalls looks at the inner walls anew, and at nothing else: where nothing else has
// changed.
func (o *Observed) LookAtWalls() (err error) {
	for i, nic := range o.nics {
		if o.nics[i].wall, err = wallOf(o.Metadata, nic.filter); err != nil {
			return err
		}
	}
	return nil
}

// unwatched are the inner walls that nobody watches, as drift. It is no part of the notes:
// the guard is the host's, so that whatever starts one for another sandbox changes it.
func (o *Observed) unwatched() (found []plan.Change) {
	for _, nic := range o.nics {
		if nic.unwatched {
			change := o.guarded(nic)
			change.Since = "after its process ended"
			found = append(found, change)
		}
	}
	return found
}

// guarded is the change that somebody watches the inner wall of an interface again.
func (o *Observed) guarded(nic nic) plan.Change {
	return plan.Change{Sandbox: o.name, Object: GuardObject(nic.filter), Live: "not running", Desired: "running", Effect: plan.Live, Why: whyGuard}
}

// walls compares the inner walls of what runs with those that there should be.
func (c *comparison) walls() error {
	if !c.have.Active {
		return nil
	}
	for _, nic := range c.have.nics {
		desired, why := innerwall.Absent, whyWallGone
		table := c.want.Walls[nic.filter]
		if table != nil {
			var err error
			if desired, err = innerwall.Wanted(table); err != nil {
				return err
			}
			why = whyWall
		}
		if live := cmp.Or(nic.wall, innerwall.Absent); live != desired {
			c.add(WallObject(nic.filter), plan.Difference{Live: live, Desired: desired}, plan.Live, why)
		}
		if nic.unwatched && table != nil {
			c.changes = append(c.changes, c.have.guarded(nic))
		}
	}
	return nil
}

// WallsMoved says whether the inner walls are not those that sbx has noted.
func (o *Observed) WallsMoved() bool {
	noted := Noted(o.Metadata)
	for _, filter := range o.Metadata.Filters {
		before, had := noted[WallObject(filter)]
		if !had {
			continue
		}
		if now, err := innerwall.Print(filter); err != nil || now != before {
			return true
		}
	}
	return false
}
