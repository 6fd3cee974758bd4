package tracer

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A thread that is killed before who made it has reported it is forgotten: its number
// may be another's next.
func TestKilledUnborn(t *testing.T) {
	var pids []int
	for range 2 { // the first process, and one that nobody has reported
		cmd := exec.Command("/usr/bin/sleep", "1000")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer cmd.Wait() // not before its end: the tracer waits for it
		defer cmd.Process.Kill()
		pids = append(pids, cmd.Process.Pid)
	}
	first, unborn := pids[0], pids[1]
	tracer := &Tracer{first: first, tasks: map[int]*task{first: {process: first}}, helpers: make(helpers, maxHeld), seen: map[any]bool{}}
	waits := 0
	seized, done := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		for _, pid := range pids {
			if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(pid), 0, options, 0, 0); errno != 0 {
				seized <- errno
				return
			}
		}
		ws, err := stop(unborn)
		if err == nil {
			tracer.stopped(unborn, ws) // as the loop does, which begins with what comes after it
			waits = len(tracer.unborn)
		}
		seized <- err
		tracer.loop()
	}()
	if err := <-seized; err != nil {
		t.Fatal(err)
	}
	if waits != 1 {
		t.Errorf("%d wait to be reported by who made them", waits)
	}
	for _, pid := range []int{unborn, first} {
		if err := unix.Kill(pid, unix.SIGKILL); err != nil {
			t.Error(err)
		}
		become(t, pid, "")
	}
	<-done
	if len(tracer.unborn) != 0 || len(tracer.tasks) != 0 {
		t.Errorf("%v are kept, and %v", tracer.unborn, tracer.tasks)
	}
}

// stop has a process stand still, and waits until it does. What it reports of its start
// may come before, and takes the place of that.
func stop(pid int) (ws unix.WaitStatus, err error) {
	for {
		if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_INTERRUPT, uintptr(pid), 0, 0, 0, 0); errno != 0 {
			return ws, errno
		}
		for err = unix.EINTR; errors.Is(err, unix.EINTR); {
			_, err = unix.Wait4(pid, &ws, unix.WALL, nil)
		}
		if err == nil && !ws.Stopped() {
			err = fmt.Errorf("it has ended: %v", ws)
		}
		if err != nil || int(ws)>>16 == unix.PTRACE_EVENT_STOP {
			return ws, err
		}
		if err := unix.PtraceCont(pid, 0); err != nil {
			return ws, err
		}
	}
}

// A thread that ends by itself has reported all that it has made: what still waits then
// is somebody else's, who says what it comes from.
func TestWhoseChildWaits(t *testing.T) {
	const first, waits = 1 << 30, 1<<30 + 1 // nobody's numbers
	tracer := &Tracer{first: first, tasks: map[int]*task{}, unborn: []int{waits}}
	for _, c := range []struct {
		what string
		tid  int
		on   *task
		left bool
	}{
		{"one of the first process's threads", first + 2, &task{process: first}, true},
		{"one of a command's, outside of any call", first + 3, &task{process: first + 3, command: true}, true},
		{"one of a command's, in another call", first + 3, &task{process: first + 3, command: true, call: &call{name: "openat"}}, true},
		{"one of a command's, while it makes one", first + 3, &task{process: first + 3, command: true, call: &call{name: "clone3"}}, false},
		{"the first process", first, &task{process: first}, false},
	} {
		tracer.unborn = []int{waits}
		tracer.bearOrphans(c.tid, c.on)
		if left := slices.Contains(tracer.unborn, waits); left != c.left {
			t.Errorf("%s has ended: it still waits: %v, want %v", c.what, left, c.left)
		}
	}
}

// become waits until a thread is in a state.
func become(t *testing.T, tid int, want string) {
	t.Helper()
	for limit := time.Now().Add(patience); state(tid) != want; time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("it is in state %q, want %q", state(tid), want)
		}
	}
}

// state is a thread's, empty for one that is gone, by the letter of proc_pid_status(5).
func state(tid int) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", tid))
	_, rest, _ := strings.Cut(string(text), "\nState:\t")
	letter, _, _ := strings.Cut(rest, " ")
	return letter
}
