//go:build !linux

package guard

import "time"

// cpuClock gives the time since it was called, in place of a thread's own.
func cpuClock() func() time.Duration {
	start := time.Now()
	return func() time.Duration { return time.Since(start) }
}
