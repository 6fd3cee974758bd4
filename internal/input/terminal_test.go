package input

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// asProgram names the part that this test's binary plays when it is started by a
// test.
const asProgram = "SBX_INPUT_TEST"

func TestMain(m *testing.M) {
	switch os.Getenv(asProgram) {
	case "reader":
		echoLines()
	case "shell":
		jobControl()
	default:
		os.Exit(m.Run())
	}
}

// echoLines repeats each line of its terminal until its parent has ended.
func echoLines() {
	in, err := Open(os.Stdin)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for b := make([]byte, 80); ; {
		n, err := in.Read(b)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Printf("reader has %q\n", b[:n])
		in.Take(n)
	}
}

// jobControl is a shell with one job, which it starts in the background and gets
// to the foreground once it has read a line of its own.
func jobControl() {
	job := exec.Command(os.Args[0])
	job.Env = append(os.Environ(), asProgram+"=reader")
	job.Stdin, job.Stdout = os.Stdin, os.Stdout
	job.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := job.Start(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("started")
	var line string
	fmt.Scanln(&line)
	var status unix.WaitStatus
	stopped, err := unix.Wait4(job.Process.Pid, &status, unix.WNOHANG|unix.WUNTRACED, nil)
	fmt.Printf("shell has %q; job stopped: %d, %v\n", line, stopped, err)
	if err := unix.IoctlSetPointerInt(int(os.Stdin.Fd()), unix.TIOCSPGRP, job.Process.Pid); err != nil {
		fmt.Println(err)
	}
	_ = job.Wait()
}

// TestABackgroundJobLeavesTheTerminalAlone types a line while a job of a terminal
// is in the background, which is the shell's, and one while it is not.
func TestABackgroundJobLeavesTheTerminalAlone(t *testing.T) {
	shell := exec.Command(os.Args[0])
	shell.Env = append(os.Environ(), asProgram+"=shell")
	tty, err := pty.Start(shell)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	defer shell.Wait()
	defer shell.Process.Kill()
	await := func(text string) {
		t.Helper()
		tty.SetReadDeadline(time.Now().Add(30 * time.Second))
		var all []byte
		for b := make([]byte, 1); ; {
			if _, err := io.ReadFull(tty, b); err != nil {
				t.Fatalf("no %q: %v; the terminal shows %q", text, err, all)
			}
			all = append(all, b[0])
			if len(all) >= len(text) && string(all[len(all)-len(text):]) == text {
				return
			}
		}
	}
	await("started\r\n")
	time.Sleep(2 * foregroundPause) // so that the job waits for its turn
	io.WriteString(tty, "first\n")
	await(`shell has "first"; job stopped: 0, <nil>` + "\r\n")
	io.WriteString(tty, "second\n")
	await(`reader has "second\n"` + "\r\n")
}

// TestATerminalIsReadALineAhead types two lines, of which the first is not read by
// the command: the second stays in the terminal.
func TestATerminalIsReadALineAhead(t *testing.T) {
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	defer slave.Close()
	io.WriteString(master, "one\ntwo\n")
	in := open(t, slave)
	if got := read(t, in, 4); got != "one\n" {
		t.Errorf("read %q", got)
	}
	ended := make(chan string)
	go func() {
		b := make([]byte, 80)
		n, err := in.Read(b)
		ended <- fmt.Sprintf("%q, %v", b[:n], err)
	}()
	select {
	case got := <-ended:
		t.Fatalf("read ahead: %s", got)
	case <-time.After(100 * time.Millisecond):
	}
	in.Close()
	if got := <-ended; got != `"", file already closed` {
		t.Errorf("got %s", got)
	}
	if got := read(t, slave, 4); got != "two\n" {
		t.Errorf("left %q", got)
	}
}
