package proc_test

import (
	"os/exec"
	"testing"

	"github.com/sbx-dev/sbx/runtime/internal/proc"
)

// A process is known by what it was started with, which one that gets its id later is not.
func TestHasArgument(t *testing.T) {
	c := exec.Command("/bin/sh", "-c", "echo started; read line", "sh", "guest=box,debug-threads=on")
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	// Start returns a moment before the kernel knows the new program's arguments.
	if _, err := out.Read(make([]byte, len("started\n"))); err != nil {
		t.Fatal(err)
	}
	for start, want := range map[string]bool{"guest=box,": true, "guest=bo,": false, "box": false} {
		if got := proc.HasArgument(c.Process.Pid, start); got != want {
			t.Errorf("an argument that begins with %q: %v", start, got)
		}
	}
	in.Close()
	c.Wait()
	if proc.HasArgument(c.Process.Pid, "guest=box,") {
		t.Error("a process that has ended has arguments")
	}
}
