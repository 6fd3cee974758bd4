// Package tracer watches what the processes of a sandbox ask of the kernel, by ptrace(2),
// from outside of its walls: what it sees it neither changes nor delays for longer than
// it takes to note it down. It follows whatever a sandbox's first process starts; that
// process's own calls are not looked at.
package tracer

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/observed"
	"github.com/sbx-dev/sbx/internal/syscalls"
)

// Tracer watches one sandbox.
type Tracer struct {
	first  int // the sandbox's first process
	tasks  map[int]*task
	unborn []int // threads that have reported before who made them
	done   chan struct{}
	closed func(call string, args [6]uint64) bool // to every sandbox that does not say otherwise
	helpers

	mu     sync.Mutex
	record observed.Record
	seen   map[any]bool
	text   int // bytes of the paths in it
}

// task is one thread of a process that is watched.
type task struct {
	process int    // its process
	program string // its process's name, until that executes another one
	command bool   // it is what the first process has executed, or comes from that
	call    *call  // that it is in
}

// options are what a traced thread stops for, besides its system calls.
const options = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEEXEC

// syscallStop is what a thread stops with at a system call's begin and end, under
// PTRACE_O_TRACESYSGOOD.
const syscallStop = unix.SIGTRAP | 0x80

// Follow begins to watch all that the process starts from now on, until it has ended.
func Follow(first int) (*Tracer, error) {
	t := &Tracer{first: first, tasks: map[int]*task{}, done: make(chan struct{}), helpers: make(helpers, maxHeld), seen: map[any]bool{}}
	var err error
	if t.closed, err = syscalls.Refuser(runtime.GOARCH, nil); err != nil {
		return nil, err
	}
	begun := make(chan error)
	go func() {
		defer close(t.done)
		runtime.LockOSThread() // who traces is a thread; it ends with this function
		err := t.seize()
		begun <- err
		if err == nil {
			t.loop()
		}
	}()
	if err := <-begun; err != nil {
		return nil, fmt.Errorf("cannot trace the sandbox's first process: %w", err)
	}
	return t, nil
}

// Record gives what has been seen until everything that is watched has ended, or until
// the time is over.
func (t *Tracer) Record(limit time.Duration) observed.Record {
	select {
	case <-t.done:
	case <-time.After(limit):
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.record
	r.Sort()
	return r
}

// Listens says whether anything has been seen to listen for others on the network.
func (t *Tracer) Listens() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.ContainsFunc(t.record.Sockets, func(s observed.Socket) bool { return s.Listens })
}

// seize begins to trace each thread of the first process. One that a thread starts
// meanwhile is traced by itself if that one is already, and found in another round if not.
func (t *Tracer) seize() error {
	for found := true; found; {
		found = false
		entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", t.first))
		if err != nil {
			return err
		}
		for _, e := range entries {
			tid, err := strconv.Atoi(e.Name())
			if err != nil || t.tasks[tid] != nil {
				continue
			}
			_, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(tid), 0, options, 0, 0)
			if errno == unix.ESRCH { // it has ended
				continue
			}
			if errno != 0 && !(errno == unix.EPERM && status(tid, "TracerPid") == unix.Gettid()) {
				return errno
			}
			t.tasks[tid], found = &task{process: t.first}, true
		}
	}
	return nil
}

// loop takes what stops, notes it and has it go on, until nothing is left.
func (t *Tracer) loop() {
	for {
		var ws unix.WaitStatus
		tid, err := unix.Wait4(-1, &ws, unix.WALL|unix.WNOTHREAD, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil: // ECHILD: all have ended
			return
		case ws.Stopped():
			t.stopped(tid, ws)
		default:
			on := t.tasks[tid]
			delete(t.tasks, tid)
			t.unborn = slices.DeleteFunc(t.unborn, func(child int) bool { return child == tid }) // killed before who made it reported
			t.bearOrphans(tid, on)
		}
	}
}

// stopped notes why a thread has stopped, and has it go on. One that has been killed
// meanwhile is reported by another wait. One that reports before who made it does stands
// still until that has: what it comes from would be a guess, by which its calls are noted
// or not.
func (t *Tracer) stopped(tid int, ws unix.WaitStatus) {
	event, signal := int(ws)>>16, ws.StopSignal()
	if t.tasks[tid] == nil && event == unix.PTRACE_EVENT_STOP {
		t.unborn = append(t.unborn, tid)
		return
	}
	on := t.task(tid)
	switch {
	case signal == syscallStop:
		t.syscall(tid, on)
		signal = 0
	case event == unix.PTRACE_EVENT_STOP:
		switch signal {
		case unix.SIGSTOP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU: // the whole process is to stand still
			_, _, _ = unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_LISTEN, uintptr(tid), 0, 0, 0, 0)
			return
		}
		signal = 0
	case event == unix.PTRACE_EVENT_EXEC:
		t.executed(tid, on)
		signal = 0
	case event == unix.PTRACE_EVENT_FORK, event == unix.PTRACE_EVENT_VFORK, event == unix.PTRACE_EVENT_CLONE:
		t.born(tid, on)
		signal = 0
	case event != 0:
		signal = 0
	}
	t.resume(tid, on, signal)
}

// resume has a thread go on that stands still, with the signal that it has stopped for.
func (t *Tracer) resume(tid int, on *task, signal unix.Signal) {
	if on.process == t.first {
		_ = unix.PtraceCont(tid, int(signal))
	} else {
		_ = unix.PtraceSyscall(tid, int(signal))
	}
}

// bearOrphans has the new threads go on that one may have made which was killed before it
// reported them: one of a command's in such a call, or the first process as a whole. Of
// that one's threads, one that ends by itself has reported all; what waits then is
// somebody else's, who is still to say what it comes from.
func (t *Tracer) bearOrphans(tid int, on *task) {
	switch {
	case on == nil, !on.command && tid != t.first:
		return
	case on.command && (on.call == nil || !slices.Contains([]string{"clone", "clone3", "fork", "vfork"}, on.call.name)):
		return
	}
	for _, child := range slices.Clone(t.unborn) {
		t.bear(child, on)
	}
}

// executed notes that a process is another program. The thread that made it that has its
// process's number from now on, and no end is ever reported of its own one.
func (t *Tracer) executed(tid int, on *task) {
	if former, err := unix.PtraceGetEventMsg(tid); err == nil && int(former) != tid {
		t.bearOrphans(tid, on)
		if of := t.tasks[int(former)]; of != nil {
			on.call = of.call
			delete(t.tasks, int(former))
		}
	}
	on.command, on.program = true, ""
}

// born notes what a thread has made while that thread stands still: later, a parent that
// has ended, or that was never the one (CLONE_PARENT), hides where a process comes from.
func (t *Tracer) born(tid int, on *task) {
	child, err := unix.PtraceGetEventMsg(tid)
	if err != nil || status(int(child), "TracerPid") != unix.Gettid() { // its end has been reported, or will be in a moment
		return
	}
	t.bear(int(child), on)
}

// bear notes what a new thread comes from, and has it go on if it has waited for that.
func (t *Tracer) bear(child int, of *task) {
	made := t.task(child)
	made.command = made.command || of.command
	if i := slices.Index(t.unborn, child); i >= 0 {
		t.unborn = slices.Delete(t.unborn, i, i+1)
		t.resume(child, made, 0)
	}
}

// task is what is known of a thread. A new process is the command's, or comes from it,
// unless it has just come from the first process and is about to execute one.
func (t *Tracer) task(tid int) *task {
	on := t.tasks[tid]
	if on == nil {
		process := status(tid, "Tgid")
		on = &task{process: process, command: status(process, "PPid") != t.first}
		if leader := t.tasks[process]; leader != nil && process != tid {
			on.command = leader.command
		}
		t.tasks[tid] = on
	}
	return on
}

// status is a number of proc_pid_status(5), 0 for none.
func status(tid int, field string) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", tid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			n, _ := strconv.Atoi(strings.TrimSpace(value))
			return n
		}
	}
	return 0
}
