package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/compiler"
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

// holderIsConfined looks at the process that holds the channel of a machine of sbx run:
// it reads what that sends, and can do nothing else.
func holderIsConfined(t *testing.T, sandbox string) {
	processes, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range processes {
		if line, err := os.ReadFile(path); err != nil || string(line) != "sbx\x00hold\x00"+sandbox+"\x00" {
			continue
		}
		status, err := os.ReadFile(filepath.Join(filepath.Dir(path), "status"))
		if err != nil {
			t.Fatal(err)
		}
		id := compiler.HelperID(sandbox)
		for _, want := range []string{fmt.Sprintf("Uid:\t%[1]d\t%[1]d\t%[1]d\t%[1]d\n", id), "CapEff:\t0000000000000000\n", "NoNewPrivs:\t1\n", "Seccomp:\t2\n"} {
			if !strings.Contains(string(status), want) {
				t.Errorf("it lacks %q:\n%s", want, status)
			}
		}
		return
	}
	t.Error("there is none")
}
