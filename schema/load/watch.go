package load

import (
	"fmt"
	"runtime"
	"runtime/metrics"
	"sync/atomic"
	"time"

	"github.com/sbx-dev/sbx/schema/diag"
)

// watch bounds the evaluation of one profile. It is the second line: what weigh
// lets pass seldom comes near.
type watch struct {
	// work is how many bytes an evaluation may take from the heap, whether it keeps
	// them or not. That is what counts CUE's steps: the same text takes the same
	// on every machine, however slow or busy.
	work uint64
	// keep is how many bytes of the program's heap may be in use more than before.
	keep uint64
	// time is the last resort, for what takes no memory: an evaluation may take as
	// much processor time, and where that has passed, as much as so many times
	// compiling the schema takes on this machine just then.
	time  time.Duration
	paces int
}

var usual = watch{work: 1 << 30, keep: 400 << 20, time: evaluationTime, paces: 2000}

const evaluationTime = 10 * time.Second

// evaluating counts the evaluations of the program that run side by side, since
// memory is told of all together.
var evaluating atomic.Int64

// evaluate evaluates a target within the bounds. CUE has no way to be stopped: an
// evaluation that takes more is left behind, and stopped is true, so that nothing
// else is evaluated beside it; the program is expected to end.
func (w watch) evaluate(pos diag.Pos, evaluate func() result) (r result, stopped bool) {
	evaluating.Add(1)
	defer evaluating.Add(-1)
	done := make(chan result, 1)
	clocks := make(chan func() time.Duration, 1)
	go func() {
		runtime.LockOSThread() // so that the thread's time is that of the evaluation
		defer runtime.UnlockOSThread()
		clocks <- cpuClock()
		defer func() {
			if p := recover(); p != nil {
				done <- result{list: refused(pos, fmt.Sprintf("CUE fails on it: %v", p), plainer)}
			}
		}()
		done <- evaluate()
	}()
	used, before, kept := <-clocks, taken(), inUse()
	beside, limit := evaluating.Load(), w.time
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case r := <-done:
			return r, false
		case <-tick.C:
		}
		beside = max(beside, evaluating.Load())
		if limit == w.time && used() > limit {
			limit = max(limit, time.Duration(w.paces)*pace())
		}
		switch share := uint64(beside); {
		case taken() > before+share*w.work:
			return result{list: refused(pos, fmt.Sprintf("the profile takes more than %d MiB of memory in all to evaluate", w.work>>20), plainer)}, true
		case inUse() > kept+share*w.keep:
			return result{list: refused(pos, fmt.Sprintf("the profile takes more than %d MiB of memory at once to evaluate", w.keep>>20), plainer)}, true
		case used() > limit:
			return result{list: refused(pos, fmt.Sprintf("the profile takes more than %v of a processor to evaluate", limit.Round(time.Second)),
				plainer+"; if it is, this machine gives sbx too little of a processor")}, true
		}
	}
}

const plainer = "write it out more plainly: a profile is small"

func refused(pos diag.Pos, message, help string) diag.List {
	return diag.List{{Pos: pos, Severity: diag.Error, Code: diag.TooMuch, Message: message, Help: help}}
}

// pace is how much processor time it takes to compile the schema, which is the
// same work each time.
func pace() time.Duration {
	times := make(chan time.Duration)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		used := cpuClock()
		_, _ = compilePlain()
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
