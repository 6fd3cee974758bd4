package main

import (
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// ends are commands and what becomes of `sbx run` with them, wherever they run.
var ends = map[string]end{
	"false":         {[]string{"--", "/bin/false"}, result{code: 1}},
	"streams apart": {[]string{"--", "sh", "-c", "echo out; echo err >&2; exit 200"}, result{200, "out\n", "err\n"}},
	"TERM":          {[]string{"--", "sh", "-c", "kill -TERM $$"}, result{code: 143}},
	"KILL":          {[]string{"--", "sh", "-c", "kill -KILL $$"}, result{code: 137}},
	"SEGV":          {[]string{"--", "sh", "-c", "kill -SEGV $$"}, result{code: 139}},
	"not found":     {[]string{"--", "/no/such"}, result{127, "", "sbx: /no/such does not exist inside the sandbox\n"}},
	"timeout":       {[]string{"--timeout", "2s", "--", "sleep", "60"}, result{124, "", "sbx: the command was ended: --timeout is over\n"}},
	"background":    {[]string{"--", "sh", "-c", "sleep 60 & echo started"}, result{0, "started\n", ""}},
}

// machineCodes are the exit codes that a machine is made for each of; through
// sessions in one machine, TestSessions tries them all.
var machineCodes = []int{0, 2, 124, 125, 126, 127, 128, 129, 130, 137, 143, 255}

// atOnce is how many sandboxes the tests run side by side.
const atOnce = 3

// TestRunEndsAsItsCommandDoes makes a sandbox for each command, through libvirtd.
// TestWithoutLibvirtd does so for those who have none.
func TestRunEndsAsItsCommandDoes(t *testing.T) {
	eachBackend(t, func(t *testing.T, b walled) {
		b.everyEnd(t, ends, machineCodes)
		if b.backend == "lxc" {
			b.start = func(args []string) *exec.Cmd { return sbx(t, args...) }
			b.everyEnd(t, nil, allCodes())
		}
	})
}

func allCodes() []int {
	all := make([]int, 256)
	for code := range all {
		all[code] = code
	}
	return all
}

// end is a command and what becomes of `sbx run` with it.
type end struct {
	args []string
	want result
}

// everyEnd makes a sandbox for each of ends, and for a command that ends with each
// of the codes.
func (b walled) everyEnd(t *testing.T, ends map[string]end, codes []int) {
	var wg sync.WaitGroup
	free := make(chan struct{}, atOnce)
	try := func(name string, args []string, want result) {
		free <- struct{}{}
		wg.Go(func() {
			defer func() { <-free }()
			if got := b.run(t, strings.NewReader(""), args...); got != want {
				t.Errorf("%s: got %+v, want %+v", name, got, want)
			}
		})
	}
	for name, c := range ends {
		try(name, c.args, c.want)
	}
	for _, code := range codes {
		command := fmt.Sprintf("echo %d; exit %d", code, code)
		try(command, []string{"--", "sh", "-c", command}, result{code, fmt.Sprintln(code), ""})
	}
	wg.Wait()
}

// outcome runs sbx as a process and gives what a person at a shell sees of it.
func outcome(t *testing.T, cmd *exec.Cmd, stdin io.Reader) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &stdout, &stderr
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), atFullSpeed(stderr.String())}
}
