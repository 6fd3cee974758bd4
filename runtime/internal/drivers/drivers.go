package drivers

import (
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/runtime/internal/embed"
	"github.com/sbx-dev/sbx/runtime/internal/kinds"
	"github.com/sbx-dev/sbx/runtime/internal/known"
	"github.com/sbx-dev/sbx/schema"
)

// Drivers are libvirt's, one for each kind, as this process reaches them.
type Drivers struct {
	named string // the connection that the caller has named; "" is the system's own
	embed *embed.Driver
	conns connections
}

// New connects when something first needs it.
func New(named string, embed *embed.Driver) *Drivers {
	return &Drivers{named: named, embed: embed, conns: connections{open: map[string]*libvirt.Connect{}, idle: map[string]*libvirt.Connect{}}}
}

// Close ends the connections.
func (d *Drivers) Close() { d.conns.close() }

// Warm connects, if there is a libvirtd that an ephemeral sandbox of the backend will
// need, so that the connection is there then.
func (d *Drivers) Warm(backend schema.Backend) {
	if d.named == "" && os.Geteuid() != 0 {
		return // no libvirtd: see connectEphemeral
	}
	if uri, err := d.URI(backend); err == nil {
		go d.conns.prepare(uri)
	}
}

// Connect gives the connection for work on sandboxes of the backend.
func (d *Drivers) Connect(backend schema.Backend) (*libvirt.Connect, error) {
	if err := d.NeedRoot(backend); err != nil {
		return nil, err
	}
	return d.ConnectToLook(backend)
}

// ConnectAlone is connect, for a connection that the caller closes.
func (d *Drivers) ConnectAlone(backend schema.Backend) (*libvirt.Connect, error) {
	uri, err := d.URI(backend)
	if err == nil {
		err = needRoot(uri)
	}
	if err != nil {
		return nil, err
	}
	return d.conns.take(uri)
}

// URI is the connection that a backend uses. A system URI names a machine, and
// its driver is the backend's to choose; any other is taken as it is.
func (d *Drivers) URI(backend schema.Backend) (string, error) {
	own, err := known.Named(backend)
	if err != nil {
		return "", err
	}
	driver := own.Driver
	if d.named == "" {
		return driver + ":///system", nil
	}
	u, err := url.Parse(d.named)
	if err != nil {
		return "", fmt.Errorf("connection %q: %w", d.named, err)
	}
	given, transport, remote := strings.Cut(u.Scheme, "+")
	if given == driver {
		return d.named, nil
	}
	if !slices.ContainsFunc(known.All(), func(k *kinds.Kind) bool { return k.Driver == given }) || u.Path != "/system" && u.Path != "/" {
		return "", fmt.Errorf("connection %s cannot run %s sandboxes: name a %s:// connection", d.named, backend, driver)
	}
	u.Scheme = driver
	if remote {
		u.Scheme += "+" + transport
	}
	u.Path = "/system"
	return u.String(), nil
}

// Local says whether libvirt runs on this machine, so that its paths are ours.
func (d *Drivers) Local() bool {
	u, err := url.Parse(d.named)
	return err == nil && onThisMachine(u)
}

func onThisMachine(u *url.URL) bool { return u.Host == "" && !strings.Contains(u.Scheme, "+ssh") }

// ConnectToLook is connect, for one who does no more than look at what libvirt
// itself tells.
func (d *Drivers) ConnectToLook(backend schema.Backend) (*libvirt.Connect, error) {
	uri, err := d.URI(backend)
	if err != nil {
		return nil, err
	}
	return d.conns.get(uri)
}

// NeedRoot is why this process cannot run sandboxes of the backend by libvirtd,
// whoever may connect to it; nil where it can.
func (d *Drivers) NeedRoot(backend schema.Backend) error {
	uri, err := d.URI(backend)
	if err != nil {
		return err
	}
	return needRoot(uri)
}
