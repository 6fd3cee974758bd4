package privilege

import (
	"fmt"
	"slices"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// clearInheritable empties the inheritable set of every thread; the others stay.
func clearInheritable() error { return lower(nil) }

// GiveUp takes capabilities from this process, on all its threads and for good,
// except for those that commands may have.
func GiveUp(names []string, allowed Set) error {
	set, err := ParseSet(names)
	if err != nil {
		return err
	}
	set = slices.DeleteFunc(set, func(n uintptr) bool { return slices.Contains(allowed, n) })
	if err := lower(set); err != nil {
		return fmt.Errorf("cannot give up capabilities: %w", err)
	}
	return nil
}

// lower empties the inheritable set of every thread and takes the given
// capabilities from its others (capset(2)).
func lower(taken Set) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return err
	}
	for _, n := range taken {
		data[n/32].Permitted &^= 1 << (n % 32)
		data[n/32].Effective &^= 1 << (n % 32)
	}
	data[0].Inheritable, data[1].Inheritable = 0, 0
	_, _, errno := syscall.AllThreadsSyscall(syscall.SYS_CAPSET,
		uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data[0])), 0)
	if errno != 0 {
		return errno
	}
	return nil
}
