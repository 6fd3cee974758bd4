package runtime

import "github.com/sbx-dev/sbx/runtime/internal/startfail"

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
