package proc

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// OnThread does something on a thread that ends with it. The process's first one would
// not, and what that has become is what /proc/self and /proc/net show from then on, to
// all of the process: its mounts and its network.
func OnThread(do func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			defer runtime.UnlockOSThread()
			done <- OnThread(do) // on another one, for this one is held
			return
		}
		done <- do()
	}()
	return <-done
}
