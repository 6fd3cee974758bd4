package forward

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Command is how a forwarder is started.
type Command struct {
	Argv   []string // the program that calls Main, with the arguments that make it do so
	Path   string   // of the record
	Ports  []Port
	PID    int    // of the sandbox's process, with which the forwarder ends
	UserID uint32 // the user and the group that it runs as
}

// Ensure makes a forwarder for just these ports run; for none, no forwarder. A
// port that something else has is an error.
func Ensure(c Command) error {
	if len(c.Ports) == 0 {
		return Stop(c.Path)
	}
	r, err := current(c.Path)
	if err != nil || r != nil && r.Sandbox == c.PID && slices.Equal(r.Ports, c.Ports) {
		return err
	}
	f, err := takeOver(c.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(0); err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil { // the forwarder writes from where we stand
		return err
	}
	return c.start(f)
}

// start starts the process and lets it go. It gets the locked record, a handle
// of the sandbox's process and the listening sockets, in this order.
func (c Command) start(locked *os.File) error {
	pidfd, err := unix.PidfdOpen(c.PID, 0)
	if err != nil {
		return fmt.Errorf("cannot watch the sandbox's process %d: %w", c.PID, err)
	}
	sandbox := os.NewFile(uintptr(pidfd), "sandbox")
	defer sandbox.Close()
	files := []*os.File{locked, sandbox}
	for _, p := range c.Ports {
		f, err := listen(p.Listen)
		if err != nil {
			return err
		}
		defer f.Close()
		files = append(files, f)
	}
	task, err := json.Marshal(record{Sandbox: c.PID, Ports: c.Ports})
	if err != nil {
		return err
	}
	cmd := exec.Command(c.Argv[0], append(c.Argv[1:], string(task))...)
	cmd.Path = "/proc/self/exe"
	cmd.Dir = "/"
	cmd.Env = []string{}
	cmd.ExtraFiles = files
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setsid:     true,
		Credential: &syscall.Credential{Uid: c.UserID, Gid: c.UserID},
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot start the process that passes published ports on: %w", err)
	}
	go cmd.Wait() // for as long as we live; then it is init's to reap
	return nil
}

// listen gives the listening socket for an address.
func listen(address string) (*os.File, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fault.New(diag.PortTaken, "cannot publish on the host's %s: %w", address, err)
	}
	defer l.Close()
	return l.(*net.TCPListener).File()
}
