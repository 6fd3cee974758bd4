package proc

import "golang.org/x/sys/unix"

// End is how a process's end is learned of from the kernel, whoever's child it is.
type End struct{ fd int }

// WatchEnd watches a process, which another one that gets its id later is not. One that
// cannot be watched seems to run for ever.
func WatchEnd(pid int) End {
	if pid <= 0 {
		return End{-1}
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return End{-1}
	}
	return End{fd}
}

// Came says whether the process has ended by now.
func (e End) Came() bool {
	if e.fd < 0 {
		return false
	}
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(e.fd), Events: unix.POLLIN}}, 0)
	return n == 1 && err == nil
}

// Close ends the watch.
func (e End) Close() {
	if e.fd >= 0 {
		unix.Close(e.fd)
	}
}
