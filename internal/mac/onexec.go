package mac

import (
	"errors"
	"fmt"
	"os"
	"runtime"
)

// Within calls start, whose programs then run in a profile: what it executes as a
// child of the calling thread, from its first instruction on. This process stays as it
// is confined.
func Within(profile string, start func() error) error {
	done := make(chan error, 1)
	go func() {
		// The thread ends with this goroutine, for it is never unlocked: the kernel has no
		// way to take the order back (Documentation/admin-guide/LSM/apparmor.rst; setprocattr
		// in its security/apparmor/lsm.c).
		runtime.LockOSThread()
		if err := onExec(profile); err != nil {
			done <- fmt.Errorf("the kernel cannot be told which AppArmor profile is the next program's: %w", err)
			return
		}
		done <- start()
	}()
	return <-done
}

// onExec has the next program that this thread, or a child of it, executes run in the
// profile.
func onExec(profile string) error {
	order := []byte("exec " + profile)
	err := os.WriteFile("/proc/thread-self/attr/apparmor/exec", order, 0)
	if errors.Is(err, os.ErrNotExist) { // before Linux 5.8 there is one for all modules
		err = os.WriteFile("/proc/thread-self/attr/exec", order, 0)
	}
	return err
}
