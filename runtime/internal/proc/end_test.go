package proc

import (
	"context"
	"io"
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
	over, cancel := context.WithCancel(t.Context())
	cancel()
	end.Await(over) // it runs on
	cmd.Process.Kill()
	limit, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if end.Await(limit); !end.Came() {
		t.Fatal("a killed process has not ended for a minute")
	}
	cmd.Wait()
	WatchEnd(0).Await(t.Context())
	for pid, ended := range map[int]bool{0: false, -1: false, cmd.Process.Pid: true} {
		if gone := WatchEnd(pid); gone.Came() != ended {
			t.Errorf("%d has ended: %t", pid, gone.Came())
		}
	}
}

// Kill has ended a process when it returns, also one that does not want to end; what is
// none is not waited for.
func TestKill(t *testing.T) {
	cmd := exec.Command("sh", "-c", "trap '' TERM; echo; exec sleep 1000")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	if _, err := io.ReadFull(out, make([]byte, 1)); err != nil { // the signal is ignored by now
		t.Fatal(err)
	}
	end := WatchEnd(cmd.Process.Pid)
	defer end.Close()
	end.Kill(time.Minute)
	if !end.Came() {
		t.Error("it has not ended")
	}
	WatchEnd(0).Kill(time.Minute)
}
