package drivers

import (
	"fmt"
	"strings"
	"sync"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/known"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/schema/diag"
)

// connections are the open ones, by URI. Nobody has used the idle ones yet.
type connections struct {
	mu   sync.Mutex
	open map[string]*libvirt.Connect
	idle map[string]*libvirt.Connect
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
	conn, err := c.unused(uri)
	if err == nil {
		c.open[uri] = conn
	}
	return conn, err
}

// take gives a connection that is the caller's alone, to close.
func (c *connections) take(uri string) (*libvirt.Connect, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.unused(uri)
}

// unused takes the idle connection, or makes one.
func (c *connections) unused(uri string) (*libvirt.Connect, error) {
	if conn := c.idle[uri]; conn != nil {
		delete(c.idle, uri)
		return conn, nil
	}
	conn, err := libvirt.NewConnect(uri)
	if err != nil {
		return nil, fault.New(diag.NoLibvirt, "cannot connect to %s: %w%s", uri, virt.Plain(err), connectHelp(uri, err))
	}
	return conn, nil
}

// prepare makes the idle connection.
func (c *connections) prepare(uri string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if conn, err := c.unused(uri); err == nil {
		c.idle[uri] = conn
	}
}

// close ends the connections, and does not wait for libvirtd to answer: it may be taking
// a sandbox apart just then, which took a fifth of a second of each sbx run. The
// connection ends with this process at the latest, which is all the same to libvirtd. A
// driver that is embedded in this process is waited for.
func (c *connections) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, list := range []map[string]*libvirt.Connect{c.open, c.idle} {
		for uri, conn := range list {
			if strings.Contains(uri, ":///embed") {
				conn.Close()
			} else {
				go conn.Close()
			}
			delete(list, uri)
		}
	}
}

// connectHelp says what to do about the errors that people meet most.
func connectHelp(uri string, err error) string {
	driver, _, _ := strings.Cut(uri, ":")
	switch code := virt.ErrorCode(err); {
	case code == libvirt.ERR_SYSTEM_ERROR:
		daemon := "libvirtd"
		for _, k := range known.All() {
			if k.Driver == driver {
				daemon = Daemon(k.Name)
			}
		}
		return fmt.Sprintf("\nIs %s running here, and may you use it? (systemctl start %s, or name another one with --connect)", daemon, daemon)
	case code == libvirt.ERR_AUTH_FAILED, code == libvirt.ERR_AUTH_CANCELLED, code == libvirt.ERR_AUTH_UNAVAILABLE:
		return "\nlibvirt does not let you in: run sbx as root"
	case code == libvirt.ERR_NO_CONNECT:
		return "\nInstall libvirt's driver for it (Debian: libvirt-daemon-driver-lxc, libvirt-daemon-driver-qemu)"
	}
	return ""
}
