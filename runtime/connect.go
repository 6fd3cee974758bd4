package runtime

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/schema"
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

func (c *connections) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, list := range []map[string]*libvirt.Connect{c.open, c.idle} {
		for uri, conn := range list {
			conn.Close()
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
		for _, k := range kinds {
			if k.driver == driver {
				daemon = Daemon(k.name)
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

// noDriver says of why a connection failed that libvirt has no driver for the backend
// here. libvirtd says so itself; where each driver has a daemon of its own, as on
// Fedora, the one of this is not installed.
func noDriver(kind schema.Backend, err error) bool {
	if virt.ErrorCode(err) == libvirt.ERR_NO_CONNECT {
		return true
	}
	if virt.ErrorCode(err) != libvirt.ERR_SYSTEM_ERROR || listens("libvirt") || listens(ownDaemon(kind)) {
		return false
	}
	for _, other := range Kinds() {
		if listens(ownDaemon(other)) {
			return true
		}
	}
	return false
}

// Daemon is what runs sandboxes of the backend here: libvirtd, or the daemon of its
// driver alone where libvirt comes with one for each.
func Daemon(kind schema.Backend) string {
	for _, dir := range []string{"/usr/sbin", "/usr/bin"} {
		if _, err := os.Stat(filepath.Join(dir, ownDaemon(kind))); err == nil && !listens("libvirt") {
			return ownDaemon(kind)
		}
	}
	return "libvirtd"
}

// ownDaemon is the daemon of the backend's driver alone: virtlxcd, virtqemud.
func ownDaemon(kind schema.Backend) string { return "virt" + kindOf(kind).driver + "d" }

// listens says whether a daemon of libvirt's has a socket on this machine.
func listens(daemon string) bool {
	_, err := os.Stat(filepath.Join(bound.LibvirtRun, daemon+"-sock"))
	return err == nil
}

// Warm connects to the libvirtd that Run will use for the backend, if any, in the
// background, so that the connection is there when it is needed. What fails is
// tried again then, and said then.
func (r *Runtime) Warm(backend schema.Backend) {
	if r.options.URI == "" && os.Geteuid() != 0 {
		return // no libvirtd: see connectEphemeral
	}
	if uri, err := r.uri(backend); err == nil {
		go r.conns.prepare(uri)
	}
}

// connect gives the connection for work on sandboxes of the backend.
func (r *Runtime) connect(backend schema.Backend) (*libvirt.Connect, error) {
	if err := r.NeedRoot(backend); err != nil {
		return nil, err
	}
	return r.connectToLook(backend)
}

// connectAlone is connect, for a connection that the caller closes.
func (r *Runtime) connectAlone(backend schema.Backend) (*libvirt.Connect, error) {
	uri, err := r.uri(backend)
	if err == nil {
		err = needRoot(uri)
	}
	if err != nil {
		return nil, err
	}
	return r.conns.take(uri)
}

// uri is the connection that a backend uses. A system URI names a machine, and
// its driver is the backend's to choose; any other is taken as it is.
func (r *Runtime) uri(backend schema.Backend) (string, error) {
	own, err := kindNamed(backend)
	if err != nil {
		return "", err
	}
	driver := own.driver
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
	if !slices.ContainsFunc(kinds, func(k *kind) bool { return k.driver == given }) || u.Path != "/system" && u.Path != "/" {
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
	return err == nil && onThisMachine(u)
}

func onThisMachine(u *url.URL) bool { return u.Host == "" && !strings.Contains(u.Scheme, "+ssh") }
