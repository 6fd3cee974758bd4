package testhost_test

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/internal/testhost"
)

// sleepVar has TestSleep be a test that works for long; its value says how.
const sleepVar = "SBX_TEST_SLEEP"

// startedVar names the file that it then makes.
const startedVar = "SBX_TEST_STARTED"

// TestSleep is what the tests of interruptions interrupt.
func TestSleep(t *testing.T) {
	how := os.Getenv(sleepVar)
	if how == "" {
		return
	}
	if err := os.WriteFile(os.Getenv(startedVar), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if how == deaf {
		signal.Ignore(syscall.SIGINT, syscall.SIGTERM)
	}
	time.Sleep(time.Hour)
}

const (
	obedient = "obedient"
	deaf     = "deaf"
)

// Whoever ends a run of tests ends its host with everything in it, in whatever way:
// a terminal signals the whole group, and others one process, from which go test
// passes nothing on.
func TestInterrupted(t *testing.T) {
	testhost.Need(t)
	for _, c := range []struct {
		name   string
		how    string
		signal syscall.Signal
		group  bool
	}{
		{"Ctrl-C", obedient, syscall.SIGINT, true},
		{"a group's end", obedient, syscall.SIGTERM, true},
		{"the terminal is gone", obedient, syscall.SIGHUP, true},
		{"whoever started it is ended", obedient, syscall.SIGTERM, false},
		{"whoever started it is killed", obedient, syscall.SIGKILL, false},
		{"a group's end, which is not heard", deaf, syscall.SIGTERM, true},
		{"whoever started what does not hear is killed", deaf, syscall.SIGKILL, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			starter := startTests(t, c.how)
			all := descendants(t, starter)
			if len(all) < 5 { // the tests outside and inside, the first process, the daemons
				t.Fatalf("there are only %v", all)
			}
			target := starter
			if c.group {
				target = -starter
			}
			if err := syscall.Kill(target, c.signal); err != nil {
				t.Fatal(err)
			}
			for deadline := time.Now().Add(3 * time.Minute); len(alive(all)) > 0; time.Sleep(10 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("after three minutes there still are:\n%s", describe(alive(all)))
				}
			}
		})
	}
}

// startTests runs TestSleep in a host of its own, as a child of a shell in a process
// group of its own, and waits until it is at work.
func startTests(t *testing.T, how string) (shell int) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	started := filepath.Join(t.TempDir(), "started")
	cmd := exec.Command("sh", "-c", `"$1" -test.run '^TestSleep$'; exit`, "sh", self)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Env = []string{sleepVar + "=" + how, startedVar + "=" + started}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "SBX_TESTHOST") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	said, err := os.Create(filepath.Join(t.TempDir(), "said"))
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-ended
	})
	for limit := time.After(5 * time.Minute); ; {
		if _, err := os.Stat(started); err == nil {
			return cmd.Process.Pid
		}
		why := ""
		select {
		case <-ended:
			why = "the tests ended before they had started"
		case <-limit:
			why = "the tests do not start; there are:\n" + describe(descendants(t, cmd.Process.Pid))
		case <-time.After(10 * time.Millisecond):
			continue
		}
		out, _ := os.ReadFile(said.Name())
		t.Fatalf("%s\nthey said:\n%s", why, out)
	}
}

// describe says what the processes are, and in what each waits.
func describe(pids []int) string {
	args := []string{"-o", "pid,ppid,stat,wchan:30,etime,args"}
	for _, pid := range pids {
		args = append(args, "-p", fmt.Sprint(pid))
	}
	out, _ := exec.Command("ps", args...).CombinedOutput() // fails where all have ended
	return string(out)
}

// descendants are the process and all that it has started.
func descendants(t *testing.T, pid int) []int {
	t.Helper()
	out, err := exec.Command("ps", "-e", "-o", "pid=,ppid=").Output()
	if err != nil {
		t.Fatal(err)
	}
	children := map[int][]int{}
	for line := range strings.Lines(string(out)) {
		var child, parent int
		if _, err := fmt.Sscan(line, &child, &parent); err != nil {
			t.Fatal(err)
		}
		children[parent] = append(children[parent], child)
	}
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}

// alive are those of the processes that have not ended.
func alive(pids []int) (left []int) {
	for _, pid := range pids {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err == nil && !strings.Contains(string(stat), ") Z ") {
			left = append(left, pid)
		}
	}
	return left
}
