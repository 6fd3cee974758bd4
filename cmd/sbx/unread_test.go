package main

import (
	"bytes"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
)

// unread has sbx write into a pipe that nobody reads, until there is no room in it, and get
// the signal then. It gives sbx's exit code and its errors.
func unread(t *testing.T, s syscall.Signal, args ...string) (code int, said string) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if _, err := unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, os.Getpagesize()); err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	cmd := exec.Command("sbx", args...)
	cmd.Stdout, cmd.Stderr = w, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(5*time.Minute, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	for limit := time.Now().Add(5 * time.Minute); verb.Reads(w, 0) && time.Now().Before(limit); {
		time.Sleep(10 * time.Millisecond)
	}
	if err := cmd.Process.Signal(s); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // its code says it
	return cmd.ProcessState.ExitCode(), errs.String()
}

// toldToEnd has sbx get SIGTERM while nobody reads what it writes, of a command that does
// not end by it.
func toldToEnd(t *testing.T, args ...string) {
	t.Helper()
	args = append(args[:len(args):len(args)], "--", "sh", "-c", "trap '' TERM; exec yes")
	code, said := unread(t, syscall.SIGTERM, args...)
	if code != 143 || atFullSpeed(said) != "sbx: the command was ended: after SIGTERM, nobody has read its output for three seconds\n" {
		t.Errorf("exit code %d, %q", code, said)
	}
}

// What only prints, and waits for who reads that, ends by a signal all the same.
func TestUnread(t *testing.T) {
	t.Parallel()
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			if code, said := unread(t, s, "schema"); code != 143 || said != "" {
				t.Errorf("exit code %d, %q", code, said)
			}
		})
	}
}
