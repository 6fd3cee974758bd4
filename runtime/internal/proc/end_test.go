package proc

import (
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

// Terminate has ended a process when it returns, and does not wait for ever for one that
// does not end.
func TestTerminate(t *testing.T) {
	for script, ended := range map[string]bool{"exec sleep 1000": true, "trap '' TERM; echo; exec sleep 1000": false} {
		cmd := exec.Command("sh", "-c", "echo; "+script)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := 1
		if !ended {
			lines = 2 // the second says that the signal is ignored by now
		}
		if _, err := io.ReadFull(out, make([]byte, lines)); err != nil {
			t.Fatal(err)
		}
		limit := time.Minute
		if !ended {
			limit = 10 * time.Millisecond
		}
		end := WatchEnd(cmd.Process.Pid)
		end.Terminate(limit)
		if end.Came() != ended {
			t.Errorf("%s has ended: %t", script, end.Came())
		}
		end.Close()
		cmd.Process.Kill()
		cmd.Wait()
	}
	WatchEnd(0).Terminate(time.Minute) // there is none
}
