package confine

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// beginLimit is how long a process beside a sandbox may take to begin.
const beginLimit = 30 * time.Second

// Process is a process beside a sandbox that has been started, and waits.
type Process struct {
	PID  int
	stay *os.File // it waits until this is closed
	said *os.File // what it says before it has begun
}

// Start starts this very program as a process of its own, which outlives this one.
// argv has it call Enter and Begun; it has the files as its descriptors from 3 on.
func Start(argv []string, files ...*os.File) (*Process, error) {
	wait, stay, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer wait.Close()
	said, theirs, err := os.Pipe()
	if err != nil {
		stay.Close()
		return nil, err
	}
	defer theirs.Close()
	cmd := exec.Cmd{
		Path: "/proc/self/exe", Args: argv, Env: []string{}, Dir: "/",
		Stdin: wait, Stderr: theirs, ExtraFiles: files,
		SysProcAttr: &syscall.SysProcAttr{Setsid: true}, // what the terminal sends us is not for it
	}
	if err := cmd.Start(); err != nil {
		stay.Close()
		said.Close()
		return nil, err
	}
	go func() { _ = cmd.Wait() }() // for as long as we live; then it is init's to reap
	return &Process{cmd.Process.Pid, stay, said}, nil
}

// Begin lets the process go, and returns when it has begun; the error is what it says
// where it cannot. One that takes long on a host that stands still begins later.
func (p *Process) Begin() error {
	defer p.said.Close()
	p.stay.Close()
	if err := p.said.SetReadDeadline(time.Now().Add(beginLimit)); err != nil {
		return err
	}
	why, err := io.ReadAll(io.LimitReader(p.said, 1<<16))
	if text := strings.TrimSpace(string(why)); text != "" {
		return errors.New(strings.TrimPrefix(text, "sbx: "))
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

// Begun says in the process that it is confined. It returns when it is let go, or when
// who started it has ended.
func Begun() error {
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return fmt.Errorf("sbx starts this by itself: %w", err)
	}
	return unix.Dup3(1, 2, 0)
}
