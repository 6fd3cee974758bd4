package forward

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/confine"
)

// Command is how a forwarder is started.
type Command struct {
	Argv   []string // the program that calls Main, with the arguments that make it do so
	Path   string   // of the record
	Ports  *Listeners
	PID    int    // of the sandbox's process, with which the forwarder ends
	UserID uint32 // the user and the group that it runs as
}

// Ensure makes a forwarder for just these ports run; for none, no forwarder. An older
// one ends only when its successor has all its sockets, which go on listening.
func Ensure(c Command) error {
	if len(c.Ports.ports) == 0 {
		return Stop(c.Path)
	}
	r, err := current(c.Path)
	if err != nil || r != nil && r.Sandbox == c.PID && slices.Equal(r.Ports, c.Ports.ports) {
		return err
	}
	if err := c.Ports.missing(); err != nil {
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

// start starts the process and lets it go. It gets the record, which it has locked and
// cannot write, a handle of the sandbox's process and the listening sockets, in this
// order.
func (c Command) start(locked *os.File) error {
	pidfd, err := unix.PidfdOpen(c.PID, 0)
	if err != nil {
		return fmt.Errorf("cannot watch the sandbox's process %d: %w", c.PID, err)
	}
	sandbox := os.NewFile(uintptr(pidfd), "sandbox")
	defer sandbox.Close()
	shared, err := share(locked)
	if err != nil {
		return err
	}
	defer shared.Close()
	r := record{Sandbox: c.PID, User: c.UserID, Ports: c.Ports.ports}
	task, err := json.Marshal(r)
	if err != nil {
		return err
	}
	argv := append(append([]string{}, c.Argv...), string(task))
	p, err := confine.Start(argv, append([]*os.File{shared, sandbox}, c.Ports.files...)...)
	if err == nil {
		r.PID = p.PID
		err = errors.Join(json.NewEncoder(locked).Encode(r), p.Begin())
	}
	if err != nil {
		return fmt.Errorf("cannot start the process that passes published ports on: %w", err)
	}
	return nil
}

// share opens the locked file once more, to be read alone, and locks it that way, too:
// what root reads in it later, and acts upon, is only root's to write.
func share(locked *os.File) (*os.File, error) {
	shared, err := os.Open(locked.Name())
	if err != nil {
		return nil, err
	}
	l := lock()
	l.Type = unix.F_RDLCK
	for _, f := range []*os.File{locked, shared} {
		if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, l); err != nil {
			shared.Close()
			return nil, err
		}
	}
	return shared, nil
}
