// Package ulimits is what processes may have of something at most (setrlimit(2)), by
// the names of limits.conf(5): of other processes, and of those that are to be born.
package ulimits

import (
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/initramfs/manifest"
)

var resources = map[string]int{
	"as": unix.RLIMIT_AS, "core": unix.RLIMIT_CORE, "cpu": unix.RLIMIT_CPU, "data": unix.RLIMIT_DATA,
	"fsize": unix.RLIMIT_FSIZE, "memlock": unix.RLIMIT_MEMLOCK, "msgqueue": unix.RLIMIT_MSGQUEUE,
	"nofile": unix.RLIMIT_NOFILE, "nproc": unix.RLIMIT_NPROC, "sigpending": unix.RLIMIT_SIGPENDING,
	"stack": unix.RLIMIT_STACK,
}

// Resource is the kernel's number of what the limit is on.
func Resource(l manifest.Limit) (int, error) {
	n, ok := resources[l.Name]
	if !ok {
		return 0, fmt.Errorf("there is no limit %q", l.Name)
	}
	return n, nil
}

// Raise lets a process and those that it makes from then on have as much as the limits
// say, 0 being this one; what it has already, and where it may have more, stays. It takes
// the right to do so on the host, or in a machine.
func Raise(pid int, limits []manifest.Limit) error {
	return each(pid, limits, func(l manifest.Limit, resource int, now unix.Rlimit) error {
		if err := unix.Prlimit(pid, resource, &unix.Rlimit{Cur: now.Cur, Max: l.Hard}, nil); err != nil {
			return fmt.Errorf("resources.ulimits.%s: it cannot be raised from %s to %s: %w", l.Name, Text(now.Max), Text(l.Hard), err)
		}
		return nil
	})
}

// Within says whether this process may have as much as the limits say.
func Within(limits []manifest.Limit) (within bool, err error) {
	within = true
	err = each(0, limits, func(manifest.Limit, int, unix.Rlimit) error { within = false; return nil })
	return within, err
}

// each calls do with the limits that are beyond what the process may have now.
func each(pid int, limits []manifest.Limit, do func(l manifest.Limit, resource int, now unix.Rlimit) error) error {
	for _, l := range limits {
		resource, err := Resource(l)
		if err != nil {
			return err
		}
		var now unix.Rlimit
		if err := unix.Prlimit(pid, resource, nil, &now); err != nil {
			return fmt.Errorf("resources.ulimits.%s: %w", l.Name, err)
		}
		if l.Hard <= now.Max {
			continue
		}
		if err := do(l, resource, now); err != nil {
			return err
		}
	}
	return nil
}

// Text writes an amount for people.
func Text(amount uint64) string {
	if amount == manifest.Unlimited {
		return "unlimited"
	}
	return strconv.FormatUint(amount, 10)
}
