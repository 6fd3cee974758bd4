package proc

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// End is how a process's end is learned of from the kernel, whoever's child it is.
type End struct {
	fd   int  // -1: there is none
	came bool // before it was watched
}

// WatchEnd watches a process, which another one that gets its id later is not. One that
// cannot be watched seems to run for ever, as 0 does, which is nobody's id.
func WatchEnd(pid int) End {
	if pid <= 0 {
		return End{fd: -1}
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return End{fd: -1, came: errors.Is(err, unix.ESRCH)}
	}
	return End{fd: fd}
}

// Came says whether the process has ended by now.
func (e End) Came() bool {
	if e.fd < 0 {
		return e.came
	}
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(e.fd), Events: unix.POLLIN}}, 0)
	return n == 1 && err == nil
}

// Watched says whether there is a process whose end is seen, or was.
func (e End) Watched() bool { return e.fd >= 0 || e.came }

// awaitSlice is how late Await may see that its context was cancelled.
const awaitSlice = 50 * time.Millisecond

// Await waits until the process has ended, which it sees at once, or ctx has; where none is
// watched, it does not wait.
func (e End) Await(ctx context.Context) {
	for e.fd >= 0 && !e.Came() && ctx.Err() == nil {
		slice := awaitSlice
		if limit, ok := ctx.Deadline(); ok {
			slice = max(0, min(slice, time.Until(limit)))
		}
		// One that a signal interrupts is asked again.
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(e.fd), Events: unix.POLLIN}}, int(slice.Milliseconds()))
	}
}

// AwaitFor waits until the process has ended, but no longer than the limit.
func (e End) AwaitFor(limit time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	e.Await(ctx)
}

// Kill ends the process by force, and waits until it has ended, but no longer than the limit.
func (e End) Kill(limit time.Duration) {
	if e.fd >= 0 && unix.PidfdSendSignal(e.fd, unix.SIGKILL, nil, 0) == nil {
		e.AwaitFor(limit)
	}
}

// Close ends the watch.
func (e End) Close() {
	if e.fd >= 0 {
		unix.Close(e.fd)
	}
}
