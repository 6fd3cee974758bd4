package guard

import (
	"fmt"
	"runtime"
	"runtime/metrics"
	"sync/atomic"
	"time"

	"github.com/sbx-dev/sbx/schema/diag"
)

// Watch bounds the evaluation of one profile. It is the second line: what Weigh
// lets pass seldom comes near.
type Watch struct {
	// Work is how many bytes an evaluation may take from the heap, whether it keeps
	// them or not. That is what counts CUE's steps: the same text takes the same
	// on every machine, however slow or busy.
	Work uint64
	// Keep is how many bytes of the program's heap may be in use more than before.
	Keep uint64
	// Time is the last resort, for what takes no memory: an evaluation may take as
	// much processor time, and where that has passed, as much as Pace takes so many
	// times on this machine just then.
	Time  time.Duration
	Paces int
	Pace  func() // what is the same work each time
}

// Usual are the bounds of a profile; to compile its schema is the pace.
func Usual(pace func()) Watch {
	return Watch{Work: 1 << 30, Keep: 400 << 20, Time: evaluationTime, Paces: 2000, Pace: pace}
}

const evaluationTime = 10 * time.Second

// evaluating counts the evaluations of the program that run side by side, since
// memory is told of all together.
var evaluating atomic.Int64

// Evaluate evaluates something within the bounds. CUE has no way to be stopped: an
// evaluation that takes more is left behind, and stopped is true, so that nothing
// else is evaluated beside it; the program is expected to end. What is refused says
// why; where nothing is, r is what came out.
func Evaluate[R any](w Watch, pos diag.Pos, evaluate func() R) (r R, refused diag.List, stopped bool) {
	evaluating.Add(1)
	defer evaluating.Add(-1)
	done := make(chan R, 1)
	failed := make(chan any, 1)
	clocks := make(chan func() time.Duration, 1)
	go func() {
		runtime.LockOSThread() // so that the thread's time is that of the evaluation
		defer runtime.UnlockOSThread()
		clocks <- cpuClock()
		defer func() {
			if p := recover(); p != nil {
				failed <- p
			}
		}()
		done <- evaluate()
	}()
	used, before, kept := <-clocks, taken(), inUse()
	beside, limit := evaluating.Load(), w.Time
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case r := <-done:
			return r, nil, false
		case p := <-failed:
			return r, refuse(pos, fmt.Sprintf("CUE fails on it: %v", p), plainer), false
		case <-tick.C:
		}
		beside = max(beside, evaluating.Load())
		if limit == w.Time && used() > limit {
			limit = max(limit, time.Duration(w.Paces)*w.pace())
		}
		select { // what has ended is not refused because that is seen late
		case r := <-done:
			return r, nil, false
		default:
		}
		switch share := uint64(beside); {
		case taken() > before+share*w.Work:
			return r, refuse(pos, fmt.Sprintf("the profile takes more than %d MiB of memory in all to evaluate", w.Work>>20), plainer), true
		case inUse() > kept+share*w.Keep:
			return r, refuse(pos, fmt.Sprintf("the profile takes more than %d MiB of memory at once to evaluate", w.Keep>>20), plainer), true
		case used() > limit:
			return r, refuse(pos, fmt.Sprintf("the profile takes more than %v of a processor to evaluate", limit.Round(time.Second)),
				plainer+"; if it is, this machine gives sbx too little of a processor"), true
		}
	}
}

const plainer = "write it out more plainly: a profile is small"

func refuse(pos diag.Pos, message, help string) diag.List {
	return diag.List{{Pos: pos, Severity: diag.Error, Code: diag.TooMuch, Message: message, Help: help}}
}

// pace is how much processor time the pace takes just now.
func (w Watch) pace() time.Duration {
	times := make(chan time.Duration)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		used := cpuClock()
		w.Pace()
		times <- used()
	}()
	return <-times
}

// taken is how many bytes the program has taken from its heap so far.
func taken() uint64 { return metric("/gc/heap/allocs:bytes") }

// inUse is how many bytes of the program's heap were in use at its last garbage
// collection: what waits to be collected, of which a slow machine has more, does
// not count.
func inUse() uint64 { return metric("/gc/heap/live:bytes") }

func metric(name string) uint64 {
	sample := []metrics.Sample{{Name: name}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
