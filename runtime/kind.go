package runtime

import (
	"fmt"
	"path/filepath"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/schema"
)

// kind is what differs between kinds of sandboxes: all that the rest of the package
// asks of one, so that nothing compares kinds by name. What a kind does is its
// backend.
type kind struct {
	name    schema.Backend
	driver  string // libvirt's name of it, as in its URIs
	backend func(*Runtime) backend

	// bind decides what of the host's its domain names, before anything is made.
	bind func(*Runtime, *bound.Sandbox) error

	made     []string // what prepare makes in a sandbox's folder and nobody changes while it runs
	manifest string   // the folder of these in which its first process's orders stand
	state    []string // the path of what it needs below the state folder

	embedded  bool          // libvirt's driver for it can run within a process of ours, without a daemon
	signals   bool          // libvirt can ask its first process to stop without the channel
	resizes   bool          // the memory that it may use can be changed while it runs
	limited   bool          // limits stand outside of it that libvirt does not set
	mapped    bool          // its processes are the host's own, under ids that its domain maps
	holdsBack bool          // it can hold what it has written and the host does not have yet
	stopGrace time.Duration // what its first process may take to stop beyond the service's time

	process func(dom *libvirt.Domain, name string) int                // the process that it is on the host; 0 when that cannot be found
	first   func(process int) int                                     // the process that is confined, by process
	kills   func(dom *libvirt.Domain) uint64                          // how many of its processes the host's kernel has killed for want of memory; nil: it has a kernel of its own
	memory  func(dom *libvirt.Domain, info *libvirt.DomainInfo) int64 // what it uses, in bytes
}

// kinds are all kinds, in the order in which sandboxes are looked for.
var kinds []*kind

// The kinds' own functions ask kinds, too, which no initial value may.
func init() { kinds = []*kind{&container, &machine} }

// Kinds are the backends of which this package runs sandboxes.
func Kinds() []schema.Backend {
	names := make([]schema.Backend, len(kinds))
	for i, k := range kinds {
		names[i] = k.name
	}
	return names
}

// DriverConfig is the file that configures libvirt's driver for one of the backends.
func DriverConfig(backend schema.Backend) string {
	return filepath.Join("/etc/libvirt", kindOf(backend).driver+".conf")
}

// kindNamed is the kind that a profile or a person has named.
func kindNamed(name schema.Backend) (*kind, error) {
	for _, k := range kinds {
		if k.name == name {
			return k, nil
		}
	}
	return nil, fmt.Errorf("backend %q is not one that this sbx knows", name)
}

// kindOf is the kind of what is known to be one: of a sandbox that has been read, or
// of a connection that was made for it.
func kindOf(name schema.Backend) *kind {
	k, err := kindNamed(name)
	if err != nil {
		panic(err) // newSandbox and uri refuse it
	}
	return k
}

// eachKind calls f with a connection for each kind for which libvirt has a driver
// here, until f wants no more.
func (r *Runtime) eachKind(f func(conn *libvirt.Connect, kind schema.Backend) (more bool, err error)) error {
	for _, k := range kinds {
		conn, err := r.connect(k.name)
		if noDriver(k.name, err) {
			continue
		}
		if err != nil {
			return err
		}
		if more, err := f(conn, k.name); !more || err != nil {
			return err
		}
	}
	return nil
}

// eachDriver gives the connections to libvirt's drivers of all kinds that it has here.
func (r *Runtime) eachDriver() (conns []*libvirt.Connect, err error) {
	for _, kind := range Kinds() {
		if _, err := r.uri(kind); err != nil { // a connection was named that is one driver's alone
			continue
		}
		conn, err := r.connect(kind)
		if noDriver(kind, err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		conns = append(conns, conn)
	}
	return conns, nil
}
