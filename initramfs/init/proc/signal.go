package proc

import (
	"os"
	"strconv"
	"strings"
	"syscall"
)

// Signal signals the process alone. One that has ended is left in peace, and so
// is whoever has its number now.
func (t *Table) Signal(p *Process, s syscall.Signal) { t.kill(p, p.PID, s) }

// SignalGroup signals the process and what it started in its group, as a
// terminal does.
func (t *Table) SignalGroup(p *Process, s syscall.Signal) { t.kill(p, -p.PID, s) }

func (t *Table) kill(p *Process, pid int, s syscall.Signal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.children[p.PID] == p {
		_ = syscall.Kill(pid, s) // it may be a zombie already
	}
}

// KillOrphans ends all that dead processes left behind: our children that we did
// not start, and their children after them.
func (t *Table) KillOrphans() {
	for range 100 { // killing one makes orphans of its children
		orphans := t.orphans()
		if len(orphans) == 0 {
			return
		}
		for _, pid := range orphans {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		t.reap()
	}
}

// orphans finds our children that we did not start.
func (t *Table) orphans() []int {
	t.mu.Lock()
	defer t.mu.Unlock()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || t.children[pid] != nil {
			continue
		}
		if parent(pid) == os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}

// parent is the parent of a process, 0 for none: the second field after the
// name in proc_pid_stat(5), which stands in parentheses and may hold anything.
func parent(pid int) int {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	text := string(stat)
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) < 2 {
		return 0
	}
	ppid, _ := strconv.Atoi(fields[1])
	return ppid
}
