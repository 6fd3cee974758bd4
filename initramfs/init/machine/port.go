package machine

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// How long a port may take to appear after its driver was loaded, how long it
// stays unlooked at when its host has just left, and then while no host is there,
// and how long a machine without a service waits for its host.
const (
	portLimit  = time.Minute
	portPause  = time.Millisecond // a machine that is restored has lost its host, and gets one at once
	portPauses = 50 * time.Millisecond
	hostLimit  = 2 * time.Minute
)

// Port is a virtio-serial port: a byte stream to a host process that may leave
// and come back.
//
// It is read and written by blocking calls, each on a thread of its own, and not
// by way of Go's poller: in kernels without the change of the end of 2025 "virtio:
// console: fix lost wakeup when device is written and polled", polling a port
// takes notice of data that the sleeper is then never woken for.
type Port struct {
	fd       int
	outlives bool
	met      bool // a host has been there
}

// OpenPort opens the port of the given name. When a host has left, or none has come in
// time, reading ends with io.EOF.
func OpenPort(name string) (*Port, error) {
	for deadline := time.Now().Add(portLimit); ; time.Sleep(time.Millisecond) {
		device, err := findPort(name)
		if err != nil {
			return nil, err
		}
		if device != "" {
			fd, err := unix.Open("/dev/"+device, unix.O_RDWR|unix.O_CLOEXEC, 0)
			if !errors.Is(err, unix.ENOENT) {
				return &Port{fd: fd}, err
			}
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("the machine has no port %s", name)
		}
	}
}

// Outlive has reading wait for the next host when one has left.
func (p *Port) Outlive() { p.outlives = true }

// findPort gives the name of the port's device, or "" as long as there is none.
func findPort(name string) (string, error) {
	ports, err := filepath.Glob("/sys/class/virtio-ports/*/name")
	if err != nil {
		return "", err
	}
	for _, file := range ports {
		if found, err := os.ReadFile(file); err == nil && strings.TrimSpace(string(found)) == name {
			return filepath.Base(filepath.Dir(file)), nil
		}
	}
	return "", nil
}

// Read implements io.Reader. While no host is there, the kernel answers with
// the end of the file at once.
func (p *Port) Read(b []byte) (int, error) {
	pause := portPause
	for start := time.Now(); ; pause = min(2*pause, portPauses) {
		n, err := unix.Read(p.fd, b)
		switch {
		case n > 0:
			p.met = true
			return n, nil
		case err == unix.EINTR:
			continue
		case err != nil:
			return 0, fmt.Errorf("reading the port: %w", err)
		case !p.outlives && (p.met || time.Since(start) > hostLimit):
			return 0, io.EOF
		}
		time.Sleep(pause)
	}
}

// Write implements io.Writer. The kernel takes at most 32 KiB at a time.
func (p *Port) Write(b []byte) (written int, err error) {
	for written < len(b) {
		n, err := unix.Write(p.fd, b[written:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return written, fmt.Errorf("writing to the port: %w", err)
		}
		written += n
	}
	return written, nil
}

// Close does nothing: the port goes with the machine.
func (p *Port) Close() error { return nil }

// AwaitLeave waits until the host has left, at most for limit: what it has not
// taken by the time that the machine is off is lost.
func (p *Port) AwaitLeave(limit time.Duration) {
	// The kernel hangs up a port that no host has open.
	_, _ = unix.Poll([]unix.PollFd{{Fd: int32(p.fd)}}, int(limit.Milliseconds()))
}
