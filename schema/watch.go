package schema

import (
	"fmt"
	"runtime"
	"runtime/metrics"
	"time"

	"github.com/sbx-dev/sbx/schema/diag"
)

// Bounds of the evaluation of one profile. They are the second line: what weigh
// lets pass seldom comes near.
const (
	maxTime   = 2 * time.Second // of a processor
	maxMemory = 400 << 20       // bytes by which the program's heap grows
)

// watched evaluates a target in at most maxTime and maxMemory. CUE has no way to
// be stopped: an evaluation that takes more is left behind, and stopped is true,
// so that nothing else is evaluated beside it; the program is expected to end.
func watched(pos diag.Pos, evaluate func() result) (r result, stopped bool) {
	done := make(chan result, 1)
	clocks := make(chan func() time.Duration, 1)
	go func() {
		runtime.LockOSThread() // so that the thread's time is that of the evaluation
		defer runtime.UnlockOSThread()
		clocks <- cpuClock()
		defer func() {
			if p := recover(); p != nil {
				done <- result{list: refused(pos, fmt.Sprintf("CUE fails on it: %v", p))}
			}
		}()
		done <- evaluate()
	}()
	used, before := <-clocks, heap()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case r := <-done:
			return r, false
		case <-tick.C:
			switch {
			case used() > maxTime*slowdown:
				return result{list: refused(pos, fmt.Sprintf("the profile takes more than %v to evaluate", maxTime))}, true
			case heap() > before+maxMemory:
				return result{list: refused(pos, fmt.Sprintf("the profile takes more than %d MiB to evaluate", maxMemory>>20))}, true
			}
		}
	}
}

func refused(pos diag.Pos, message string) diag.List {
	return diag.List{{Pos: pos, Severity: diag.Error, Code: diag.TooMuch, Message: message,
		Help: "write it out more plainly: a profile is small"}}
}

// heap is how many bytes the program's heap holds.
func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
