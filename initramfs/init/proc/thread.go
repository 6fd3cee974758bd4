package proc

import (
	"runtime"
	"syscall"
)

// thread is the one that children are forked from. A control group, a session
// keyring and a filter of system calls are a thread's own, which its children have
// from their birth on: no moment is left in which they have not.
type thread struct {
	jobs   chan func()
	before func() error // done each time before a child is forked
}

func newThread() *thread {
	t := &thread{jobs: make(chan func()), before: func() error { return nil }}
	go func() {
		runtime.LockOSThread() // for good: Go starts no thread of its own from it
		for do := range t.jobs {
			do()
		}
	}()
	return t
}

// on does something on the thread.
func (t *thread) on(do func() error) error {
	done := make(chan error)
	t.jobs <- func() { done <- do() }
	return <-done
}

func (t *thread) fork(path string, argv []string, attr *syscall.ProcAttr) (pid int, err error) {
	err = t.on(func() (err error) {
		if err := t.before(); err != nil {
			return err
		}
		pid, err = syscall.ForkExec(path, argv, attr)
		return err
	})
	return pid, err
}

// Confine does something to the thread that all children are forked from, and so to
// them.
func (t *Table) Confine(do func() error) error { return t.thread.on(do) }

// BeforeEach does something to that thread each time before a child is forked.
func (t *Table) BeforeEach(do func() error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.thread.before = do
}
