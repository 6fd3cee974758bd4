package kinds

import (
	"context"
	"net"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/embed"
	"github.com/sbx-dev/sbx/runtime/internal/inits"
	"github.com/sbx-dev/sbx/schema"
)

// Kind is what differs between kinds of sandboxes: all that other packages
// ask of one, so that nothing compares kinds by name. What a kind does is its
// backend.
type Kind struct {
	Name    schema.Backend
	Driver  string // libvirt's name of it, as in its URIs
	Backend func(*Host) Backend

	// Bind decides what of the host's its domain names, before anything is made.
	Bind func(*Host, *bound.Sandbox) error

	Made     []string // what prepare makes in a sandbox's folder and nobody changes while it runs
	Manifest string   // the folder of these in which its first process's orders stand
	State    []string // the path of what it needs below the state folder
	Leaves   []string // how the names end of what libvirt makes for each while it runs, and does not remove

	Embedded  bool          // libvirt's driver for it can run within a process of ours, without a daemon
	Signals   bool          // libvirt can ask its first process to stop without the channel
	Resizes   bool          // the memory that it may use can be changed while it runs
	Mapped    bool          // its processes are the host's own, under ids that its domain maps
	HoldsBack bool          // it can hold what it has written and the host does not have yet
	LogsEnd   bool          // libvirtd writes into its log when it has ended, too
	StopGrace time.Duration // what its first process may take to stop beyond the service's time

	Process func(dom *libvirt.Domain, name string) int                // the process that it is on the host; 0 when that cannot be found
	Limit   func(*bound.Sandbox, *libvirt.Domain) error               // sets what bounds it from outside and libvirt does not; nil: nothing does
	Leave   func(process int) error                                   // has that process be ready for the sandbox to end, whose command has; nil: it need not be
	First   func(process int) int                                     // the process that is confined, by process
	Kills   func(dom *libvirt.Domain) uint64                          // how many of its processes the host's kernel has killed for want of memory; nil: it has a kernel of its own
	Memory  func(dom *libvirt.Domain, info *libvirt.DomainInfo) int64 // what it uses, in bytes
	Refused func(s *bound.Sandbox, err error) error                   // what libvirt says to its domain, with what to do where that is known; nil: nothing is
}

// Explain is what libvirt says to a sandbox's domain, with what to do where that is known.
func (k *Kind) Explain(s *bound.Sandbox, err error) error {
	if k.Refused == nil {
		return err
	}
	return k.Refused(s, err)
}

// Host is what a kind finds here.
type Host struct {
	Folder          state.Folder
	Inits           inits.Inits
	Embed           *embed.Driver
	Accel           string            // that overrules what profiles say; "" is none
	Kernel, Modules string            // what a machine boots whose profile names none; "" is the host's own
	Cold            bool              // no machine starts from a saved one
	Log             func(line string) // is told, in a few words a line, what takes a while
}

// Backend is what differs between kinds of sandbox.
type Backend interface {
	// Prepare makes the files on the host that the domain names. What an
	// earlier prepare made is replaced.
	Prepare(ctx context.Context, s *bound.Sandbox) error
	// Start starts the defined domain.
	Start(s *bound.Sandbox, dom *libvirt.Domain) error
	// StartTransient starts the domain without defining it; it ends with conn
	// at the latest. The connection to its first process is that one's first.
	StartTransient(ctx context.Context, s *bound.Sandbox, conn *libvirt.Connect) (*libvirt.Domain, net.Conn, error)
	// Held says whether only one process can hold the channel, so that all
	// others speak with the first process through that one.
	Held() bool
	// Clear removes what prepare and start made in the sandbox's folder; it
	// removes nothing that the sandbox itself wrote.
	Clear(dir string) error
}
