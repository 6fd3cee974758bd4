package confine

import (
	"fmt"

	"github.com/landlock-lsm/go-landlock/landlock"
	"github.com/landlock-lsm/go-landlock/landlock/syscall"
)

// lock has the kernel's Landlock refuse what the process does not need, as far as this
// kernel has it (landlock(7)): a second wall behind the system calls, where a path or a
// port is what tells one use of a call from another. Signals are left to the first
// wall: some kernels take the threads of one process for strangers, whose signals Go
// needs.
func (c Confinement) lock() error {
	config := landlock.V7
	config.Scoped &^= syscall.ScopeSignal
	var rules []landlock.Rule
	if c.Folder != nil {
		rules = append(rules, landlock.RWDirs(fmt.Sprintf("/proc/self/fd/%d", c.Folder.Fd())))
	}
	for _, port := range c.Connects {
		rules = append(rules, landlock.ConnectTCP(port))
	}
	if err := config.BestEffort().Restrict(rules...); err != nil {
		return fmt.Errorf("cannot be locked in by Landlock: %w", err)
	}
	return nil
}
