package confine

import (
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// keepNetAdmin changes who the process is, and leaves that one capability to the thread
// of the calling goroutine, which has it for itself from now on: the other threads, and
// those to come, have none. The kernel would take it, too, with root's id
// (capabilities(7)).
func keepNetAdmin(change func() error) error {
	runtime.LockOSThread()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	sets := [2]unix.CapUserData{{Effective: 1 << unix.CAP_NET_ADMIN, Permitted: 1 << unix.CAP_NET_ADMIN}}
	if err := unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0); err != nil {
		return err
	}
	if err := change(); err != nil {
		return err
	}
	if err := errors.Join(unix.Capset(&header, &sets[0]), unix.Prctl(unix.PR_SET_KEEPCAPS, 0, 0, 0, 0)); err != nil {
		return fmt.Errorf("cannot keep CAP_NET_ADMIN alone: %w", err)
	}
	return nil
}
