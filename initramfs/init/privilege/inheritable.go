package privilege

import (
	"fmt"
	"runtime"
	"slices"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// GiveUp takes capabilities from this process, on all its threads and for good,
// except for those that commands may have.
func GiveUp(names []string, allowed Set) error {
	set, err := ParseSet(names)
	if err != nil {
		return err
	}
	set = slices.DeleteFunc(set, func(n uintptr) bool { return slices.Contains(allowed, n) })
	if err := threadCall(everyThread).lower(set); err != nil {
		return fmt.Errorf("cannot give up capabilities: %w", err)
	}
	return nil
}

// lower empties the threads' inheritable set and takes the given capabilities from their
// others (capset(2)).
func (call threadCall) lower(taken Set) error {
	header := &unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := new([2]unix.CapUserData)
	var pinned runtime.Pinner // call gets addresses as numbers
	defer pinned.Unpin()
	pinned.Pin(header)
	pinned.Pin(data)
	if err := unix.Capget(header, &data[0]); err != nil {
		return err
	}
	for _, n := range taken {
		data[n/32].Permitted &^= 1 << (n % 32)
		data[n/32].Effective &^= 1 << (n % 32)
	}
	data[0].Inheritable, data[1].Inheritable = 0, 0
	if errno := call(syscall.SYS_CAPSET, uintptr(unsafe.Pointer(header)), uintptr(unsafe.Pointer(data))); errno != 0 {
		return errno
	}
	return nil
}
