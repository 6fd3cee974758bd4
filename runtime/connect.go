package runtime

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"strings"
	"sync"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/schema"
)

// connections are the open ones, by URI.
type connections struct {
	mu   sync.Mutex
	open map[string]*libvirt.Connect
}

// get gives the connection to uri. One that libvirtd has dropped, for instance
// because it was restarted, is opened anew.
func (c *connections) get(uri string) (*libvirt.Connect, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if conn := c.open[uri]; conn != nil {
		// IsAlive would learn of a daemon that has gone only after a call failed.
		if _, err := conn.GetLibVersion(); err == nil {
			return conn, nil
		}
		conn.Close()
		delete(c.open, uri)
	}
	conn, err := libvirt.NewConnect(uri)
	if err != nil {
		return nil, fmt.Errorf("cannot connect to %s: %w%s", uri, plain(err), connectHelp(err))
	}
	c.open[uri] = conn
	return conn, nil
}

// leave leaves a connection to the end of this process, which closes it without
// waiting: an answer to closing comes only when libvirt has taken apart what was
// to end with the connection.
func (c *connections) leave(conn *libvirt.Connect) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.open, func(_ string, open *libvirt.Connect) bool { return open == conn })
}

func (c *connections) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for uri, conn := range c.open {
		conn.Close()
		delete(c.open, uri)
	}
}

// connectHelp says what to do about the errors that people meet most.
func connectHelp(err error) string {
	switch code := errorCode(err); {
	case code == libvirt.ERR_SYSTEM_ERROR:
		return "\nIs libvirtd running here, and may you use it? (systemctl start libvirtd, or name another one with --connect)"
	case code == libvirt.ERR_AUTH_FAILED, code == libvirt.ERR_AUTH_CANCELLED, code == libvirt.ERR_AUTH_UNAVAILABLE:
		return "\nRun sbx as root, or as a member of the group libvirt"
	case code == libvirt.ERR_NO_CONNECT:
		return "\nInstall libvirt's driver for it (Debian: libvirt-daemon-driver-lxc, libvirt-daemon-driver-qemu)"
	}
	return ""
}

// drivers are the backends' names in libvirt URIs.
var drivers = map[schema.Backend]string{schema.LXC: "lxc", schema.KVM: "qemu"}

// Warm connects to the libvirtd that Run will use for the backend, if any, in the
// background, so that the connection is there when it is needed. What fails is
// tried again then, and said then.
func (r *Runtime) Warm(backend schema.Backend) {
	if r.options.URI == "" && os.Geteuid() != 0 {
		return // no libvirtd: see connectEphemeral
	}
	go func() { _, _ = r.connect(backend) }()
}

// connect gives the connection for sandboxes of the backend.
func (r *Runtime) connect(backend schema.Backend) (*libvirt.Connect, error) {
	uri, err := r.uri(backend)
	if err != nil {
		return nil, err
	}
	return r.conns.get(uri)
}

// uri is the connection that a backend uses. A system URI names a machine, and
// its driver is the backend's to choose; any other is taken as it is.
func (r *Runtime) uri(backend schema.Backend) (string, error) {
	driver, known := drivers[backend]
	if !known {
		return "", fmt.Errorf("backend %q is not one that this sbx knows", backend)
	}
	if r.options.URI == "" {
		return driver + ":///system", nil
	}
	u, err := url.Parse(r.options.URI)
	if err != nil {
		return "", fmt.Errorf("connection %q: %w", r.options.URI, err)
	}
	given, transport, remote := strings.Cut(u.Scheme, "+")
	if given == driver {
		return r.options.URI, nil
	}
	if given != "lxc" && given != "qemu" || u.Path != "/system" && u.Path != "/" {
		return "", fmt.Errorf("connection %s cannot run %s sandboxes: name a %s:// connection", r.options.URI, backend, driver)
	}
	u.Scheme = driver
	if remote {
		u.Scheme += "+" + transport
	}
	u.Path = "/system"
	return u.String(), nil
}

// local says whether libvirt runs on this machine, so that its paths are ours.
func (r *Runtime) local() bool {
	u, err := url.Parse(r.options.URI)
	return err == nil && u.Host == "" && !strings.Contains(u.Scheme, "+ssh")
}

// errorCode is libvirt's code for the error; ERR_OK when it is not libvirt's.
func errorCode(err error) libvirt.ErrorNumber {
	var e libvirt.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return libvirt.ERR_OK
}

// plainError is an error of libvirt's whose text leaves out libvirt's numbers.
type plainError struct{ cause libvirt.Error }

func (e plainError) Error() string { return e.cause.Message }
func (e plainError) Unwrap() error { return e.cause }

// plain makes an error of libvirt's fit for a person; any other stays as it is.
func plain(err error) error {
	var e libvirt.Error
	if errors.As(err, &e) {
		return plainError{e}
	}
	return err
}
