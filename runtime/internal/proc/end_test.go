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
	for _, pid := range []int{0, -1, cmd.Process.Pid} {
		if gone := WatchEnd(pid); gone.Came() {
			t.Errorf("%d, which nobody watches, has ended", pid)
		}
	}
}
