package runtime

import (
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/runtime/internal/observe"
	"github.com/sbx-dev/sbx/runtime/internal/startfail"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/runtime/plan"
)

// UpResult says what Up did.
type UpResult struct {
	Name      string
	Addresses []string      // where the sandbox is reached; none for one without a network
	Leases    virt.Leases   // where else
	Restarts  int           // how often its command was started again, since the sandbox has started
	Created   bool          // it was not there before
	Restarted bool          // what had changed took a new start
	Changes   []plan.Change // what Up had to change; none when all was as it should be
}

// Unchanged says whether all was as it should be already.
func (u *UpResult) Unchanged() bool {
	return len(u.Changes) == 0
}

// Rules are those of the changes that are about what the firewall lets pass. Of a
// sandbox that was not there before there are none: all of its profile is new.
func (u *UpResult) Rules() []plan.Change {
	return slices.DeleteFunc(slices.Clone(u.Changes), func(c plan.Change) bool {
		return !strings.HasPrefix(c.Object, observe.FilterObject("")) || c.Field != plan.RuleField
	})
}

// Leases are a sandbox's addresses that DHCP servers chose.
type Leases = virt.Leases

// StartFailure is a sandbox that was started, and whose command does not run as it
// should: what Up and Restart return of it.
type StartFailure = startfail.StartFailure

// Way is a way in which the start of a sandbox's command fails.
type Way = startfail.Way

// The ways.
const (
	NotStarted = startfail.NotStarted // there is no such program or user, or the sandbox could not be set up
	EndedEarly = startfail.EndedEarly // it has ended for good
	Looping    = startfail.Looping    // it has ended, was started again, and so on
	NotReady   = startfail.NotReady   // it runs, and its readiness probe does not succeed
	Lost       = startfail.Lost       // the sandbox's first process has ended, or does not answer
)
