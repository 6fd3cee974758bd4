package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// process runs sbx as a process of its own, whose command writes "started" before
// anything else. end has it read the end of its input and waits for its end.
func process(t *testing.T, args ...string) (sbx *os.Process, end func()) {
	t.Helper()
	cmd := exec.Command("sbx", args...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(out)
	if line, err := r.ReadString('\n'); line != "started\n" {
		t.Fatalf("sbx %q did not start its command: %q, %v", args, line, err)
	}
	return cmd.Process, func() {
		in.Close()
		_, _ = io.Copy(io.Discard, r)
		if err := cmd.Wait(); err != nil {
			t.Errorf("sbx %q: %v", args, err)
		}
	}
}

// besideStopped stops the sbx that runs the sandbox, and one whose command writes
// without end, as Ctrl-Z does: others go on.
func besideStopped(t *testing.T, sandbox string, owner *os.Process) {
	writer, end := process(t, "exec", sandbox, "--", "sh", "-c", "echo started; timeout 1 yes; true")
	defer end()
	for _, p := range []*os.Process{owner, writer} {
		if err := p.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		defer p.Signal(syscall.SIGCONT)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for range 3 {
		if out, err := exec.CommandContext(ctx, "sbx", "exec", sandbox, "--", "seq", "100000").Output(); err != nil || len(out) != 588895 {
			t.Fatalf("%d bytes, %v", len(out), err)
		}
	}
}
