package proc

import (
	"io"
	"os/exec"
	"testing"
)

// running is a program that runs until its input ends, with some arguments.
func running(t *testing.T, args ...string) (c *exec.Cmd, in io.Closer) {
	t.Helper()
	c = exec.Command("/bin/sh", append([]string{"-c", "echo started; read line", "sh"}, args...)...)
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
	return c, in
}

// A process is known by what it was started with, which one that gets its id later is not.
func TestHasArgument(t *testing.T) {
	c, in := running(t, "guest=box,debug-threads=on")
	for start, want := range map[string]bool{"guest=box,": true, "guest=bo,": false, "box": false} {
		if got := HasArgument(c.Process.Pid, start); got != want {
			t.Errorf("an argument that begins with %q: %v", start, got)
		}
	}
	in.Close()
	c.Wait()
	if HasArgument(c.Process.Pid, "guest=box,") {
		t.Error("a process that has ended has arguments")
	}
}
