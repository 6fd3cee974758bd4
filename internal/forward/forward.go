// Package forward is the process that passes connections to ports of the host on
// to a sandbox: one for each sandbox that publishes ports. It holds listening
// sockets that it was given, looks at nothing that it passes on, runs without
// privileges, and ends with the sandbox's own process on the host. The sandbox
// does not depend on it: without it, nothing but the published ports is gone.
//
// A process's record is a file that it keeps locked for as long as it lives, and that
// root has written: the process has no more than the descriptors that root gave it, and
// an id that owns nothing.
package forward

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Port is a port of the host and where it leads, both as "address:port".
type Port struct {
	Listen string `json:"listen"`
	Target string `json:"target"`
}

// record is what is known of a forwarder.
type record struct {
	PID     int    `json:"pid"`
	Sandbox int    `json:"sandbox"` // the process with which it ends
	User    uint32 `json:"user,omitempty"`
	Ports   []Port `json:"ports"`
}

// settleTime is how long a forwarder's record may take to be written, or a forwarder
// to end.
const settleTime = 30 * time.Second

// lock is what a forwarder holds on its record. It belongs to the open file, so
// that a forwarder inherits it from whoever starts it, and looking for it takes
// nothing from anybody (fcntl(2), open file description locks).
func lock() *unix.Flock_t { return &unix.Flock_t{Type: unix.F_WRLCK} }

// read gives the file's record; nil when it is not written yet.
func read(f *os.File) *record {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil
	}
	r := new(record)
	if json.NewDecoder(f).Decode(r) != nil || r.PID == 0 {
		return nil
	}
	return r
}

// Stop ends the forwarder whose record is at path, if one runs, and removes the
// record.
func Stop(path string) error {
	if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	f, err := takeOver(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return os.Remove(path)
}

// takeOver ends the forwarder that has the record locked, if one runs, and locks
// it.
func takeOver(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(settleTime); ; time.Sleep(5 * time.Millisecond) {
		err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, lock())
		if err == nil {
			return f, nil
		}
		if err == unix.EAGAIN && time.Now().Before(deadline) {
			err = end(read(f))
		}
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("cannot end the process that passes published ports on: %w", err)
		}
	}
}

// end asks a forwarder to end; one that has not written its record yet, or has
// just ended, is left.
func end(r *record) error {
	if r == nil {
		return nil
	}
	if err := unix.Kill(r.PID, unix.SIGTERM); err != unix.ESRCH {
		return err
	}
	return nil
}

// Running are the ports of the forwarder whose record is at path; none when none
// runs.
func Running(path string) ([]Port, error) {
	r, err := current(path)
	if r == nil || err != nil {
		return nil, err
	}
	return r.Ports, nil
}

// current is the record of the forwarder that has it locked; nil when none runs.
func current(path string) (*record, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for deadline := time.Now().Add(settleTime); ; time.Sleep(5 * time.Millisecond) {
		l := lock()
		if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, l); err != nil {
			return nil, err
		}
		if l.Type == unix.F_UNLCK {
			return nil, nil
		}
		if r := read(f); r != nil {
			return r, nil
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("the process that has %s locked does not say which it is", path)
		}
	}
}
