// Package runtime applies bundles to libvirt and takes what it applied away
// again. libvirt is the only state: what must be remembered of a sandbox stands
// in its domain's <metadata>, so that a sandbox is found, changed and removed
// whichever sbx process started it and however that one ended.
//
// The order of every step is chosen so that a process killed between any two of
// them leaves nothing reachable unfiltered, and nothing that Up or Down of the
// same name would not find:
//
//	Up:   lock · define the domain · networks · filters · files · start · wait
//	Down: lock · stop · files · filters · networks · undefine the domain
//
// The domain is defined first and undefined last because its metadata names
// all the rest.
package runtime

import (
	"cmp"
	"os"
	"sync"
	"time"

	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/internal/drivers"
	"github.com/sbx-dev/sbx/runtime/internal/embed"
	"github.com/sbx-dev/sbx/runtime/internal/inits"
	"github.com/sbx-dev/sbx/runtime/internal/kinds"
	"github.com/sbx-dev/sbx/runtime/internal/locks"
)

// Options say where and how a Runtime works. The zero value works on this
// machine's libvirt.
type Options struct {
	// URI is the libvirt connection. Empty: LIBVIRT_DEFAULT_URI, else the
	// system connection of each sandbox's own backend.
	URI string
	// StateDir holds a folder for each sandbox; it is made when it is first needed.
	// Empty: compiler.StateDir for root, and for others a folder of their own below
	// their home folder.
	StateDir string
	// Init is the sbx-init to use. Empty: SBX_INIT, else where packages put it.
	Init string
	// Accel is AccelKVM or AccelTCG to overrule what profiles say. Empty: what
	// they say, by what the host has.
	Accel string
	// Kernel and Modules are what a machine boots whose profile names none.
	// Empty: the host's own.
	Kernel, Modules string
	// Cold has every machine boot, also where one like it was saved.
	Cold bool
	// AnswerLimit is how long a sandbox's first process may take to answer. Zero:
	// ten minutes, in which a machine without hardware virtualisation boots within
	// another one.
	AnswerLimit time.Duration
	// Forwarder starts this program so that it calls Forward with one further
	// argument. Empty: sandboxes that publish ports are refused.
	Forwarder []string
	// Keeper starts this program so that it calls Keep with one further
	// argument, the sandbox's name. Empty: sandboxes have no keeper.
	Keeper []string
	// Guard starts this program so that it calls Guard. Empty: nobody watches inner walls.
	Guard []string
	// Holder starts this program so that it calls Hold. Empty: where Run's process
	// is stopped, nobody reaches the machine that it runs.
	Holder []string
	// Tether starts this program so that it calls Tether. Empty: a machine
	// that runs without libvirtd outlives this process where that is killed.
	Tether []string
	// Log is told, in a few words a line, what takes a while. It may be nil.
	Log func(line string)
}

// Runtime holds connections to libvirt. It may be used by several goroutines at
// once.
type Runtime struct {
	options Options
	drivers *drivers.Drivers
	locks   locks.Locks
	host    kinds.Host

	told sync.Map // the lines of what is so of the host, which are not repeated
}

// answerLimit is what Options.AnswerLimit is by default.
const answerLimit = 10 * time.Minute

// New gives a Runtime that connects when something first needs it.
func New(o Options) *Runtime {
	o.StateDir = cmp.Or(o.StateDir, string(state.Of(os.Geteuid())))
	o.URI = cmp.Or(o.URI, os.Getenv("LIBVIRT_DEFAULT_URI"))
	o.AnswerLimit = cmp.Or(o.AnswerLimit, answerLimit)
	if o.Log == nil {
		o.Log = func(string) {}
	}
	folder := state.Folder(o.StateDir)
	locks := locks.Locks{Folder: folder, Log: o.Log}
	driver := &embed.Driver{Folder: folder, Log: o.Log, Tetherers: o.Tether}
	return &Runtime{
		options: o,
		drivers: drivers.New(o.URI, driver),
		locks:   locks,
		host: kinds.Host{
			Folder: folder,
			Inits:  inits.Inits{Named: o.Init, Folder: folder, Locks: locks, Last: new(inits.Last)},
			Embed:  driver,
			Accel:  o.Accel,
			Kernel: o.Kernel, Modules: o.Modules,
			Cold: o.Cold,
			Log:  o.Log,
		},
	}
}

// state is the folder that holds what sandboxes are made of.
func (r *Runtime) state() state.Folder { return state.Folder(r.options.StateDir) }

// tellOnce logs what is so of the host, not of one sandbox.
func (r *Runtime) tellOnce(line string) {
	if _, told := r.told.LoadOrStore(line, true); !told {
		r.options.Log(line)
	}
}

// Close ends the connections.
func (r *Runtime) Close() {
	r.drivers.Close()
	r.host.Embed.Close()
}
