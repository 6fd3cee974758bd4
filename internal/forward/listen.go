package forward

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Listeners are the listening sockets of ports that are to be published, taken before
// anything is changed: a port that something else has is found out while all still is
// as it was.
type Listeners struct {
	ports []Port
	files []*os.File // one a port; nil for one whose address is not there yet
}

// Listen takes the sockets of the ports. Those that the forwarder whose record is at
// path has already are shared with it, and nobody who connects meanwhile is refused.
func Listen(path string, ports []Port) (*Listeners, error) {
	l := &Listeners{ports: ports}
	if len(ports) == 0 {
		return l, nil
	}
	old, err := current(path)
	if err != nil {
		return nil, err
	}
	have, err := old.sockets()
	if err != nil {
		return nil, fmt.Errorf("cannot take over from the process that passes published ports on: %w", err)
	}
	defer closeAll(have)
	for _, p := range ports {
		f, err := listenAgain(have, p.Listen)
		if err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) { // a network that is made with the sandbox may have it
			l.Close()
			return nil, err
		}
		l.files = append(l.files, f)
	}
	return l, nil
}

// listenAgain gives the listening socket for an address: one of those that there are,
// or a new one.
func listenAgain(have []net.Listener, address string) (*os.File, error) {
	want, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, err
	}
	for _, l := range have {
		at := l.Addr().(*net.TCPAddr)
		if at.Port == want.Port && (at.IP.Equal(want.IP) || at.IP.IsUnspecified() && (want.IP == nil || want.IP.IsUnspecified())) {
			return l.(*net.TCPListener).File()
		}
	}
	return listen(address)
}

// sockets are the listening ones that the forwarder has. It may end at any moment.
func (r *record) sockets() (list []net.Listener, err error) {
	if r == nil {
		return nil, nil
	}
	process, err := unix.PidfdOpen(r.PID, 0)
	if err == unix.ESRCH {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer unix.Close(process)
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", r.PID))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	for _, e := range open {
		fd, _ := strconv.Atoi(e.Name())
		l, err := socketOf(process, fd)
		if err != nil {
			closeAll(list)
			return nil, err
		}
		if l != nil {
			list = append(list, l)
		}
	}
	return list, err
}

// socketOf is a process's listening socket; nil where the descriptor is none.
func socketOf(process, fd int) (net.Listener, error) {
	ours, err := unix.PidfdGetfd(process, fd, 0)
	switch err {
	case nil:
	case unix.ESRCH, unix.EBADF: // it has ended, or has closed it
		return nil, nil
	default:
		return nil, err
	}
	f := os.NewFile(uintptr(ours), "socket")
	defer f.Close()
	if listens, err := unix.GetsockoptInt(ours, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err != nil || listens == 0 {
		return nil, nil
	}
	return net.FileListener(f)
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		l.Close()
	}
}

// missing takes the sockets that could not be taken earlier.
func (l *Listeners) missing() error {
	for i, p := range l.ports {
		if l.files[i] != nil {
			continue
		}
		f, err := listen(p.Listen)
		if err != nil {
			return err
		}
		l.files[i] = f
	}
	return nil
}

// Close gives the sockets back; a forwarder that has them keeps them.
func (l *Listeners) Close() {
	for _, f := range l.files {
		if f != nil {
			f.Close()
		}
	}
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
