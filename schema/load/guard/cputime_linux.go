package guard

import (
	"time"

	"golang.org/x/sys/unix"
)

// cpuClock gives the processor time of the calling thread, which any other may
// read: the kernel derives a clock's number from the thread's
// (clock_getcpuclockid(3)). Time that a busy machine gives to others does not
// count.
func cpuClock() func() time.Duration {
	const perThread, scheduled = 4, 2 // CPUCLOCK_PERTHREAD_MASK, CPUCLOCK_SCHED
	id := ^int32(unix.Gettid())<<3 | perThread | scheduled
	read := func() time.Duration {
		var t unix.Timespec
		if err := unix.ClockGettime(id, &t); err != nil {
			return 0 // the thread has ended
		}
		return time.Duration(t.Nano())
	}
	start := read()
	return func() time.Duration { return read() - start }
}
