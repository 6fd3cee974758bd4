package proc

import (
	"os/exec"
	"testing"
	"time"
)

func TestEnd(t *testing.T) {
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end := WatchEnd(cmd.Process.Pid)
	defer end.Close()
	if end.Came() {
		t.Error("it has ended before it was killed")
	}
	cmd.Process.Kill()
	for limit := time.Now().Add(time.Minute); !end.Came(); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("a killed process has not ended for a minute")
		}
	}
	cmd.Wait()
	for pid, ended := range map[int]bool{0: false, -1: false, cmd.Process.Pid: true} {
		if gone := WatchEnd(pid); gone.Came() != ended {
			t.Errorf("%d has ended: %t", pid, gone.Came())
		}
	}
}
