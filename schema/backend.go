package schema

import (
	"fmt"
	"slices"
	"strings"
)

// Backend names the kind of walls that a sandbox stands behind.
type Backend string

// The backends.
const (
	LXC Backend = "lxc" // a container: namespaces, a user namespace, capabilities
	KVM Backend = "kvm" // a machine of its own, booted from the host's files
)

// traits are what a profile's meaning hangs on: nothing compares names of backends,
// so that another one is a row here.
type traits struct {
	name     Backend
	kernel   bool   // it boots a kernel of its own
	maps     bool   // its user ids stand for ids of the host's
	sockets  bool   // it can use the host's sockets
	disks    bool   // it takes disk images
	devices  bool   // it can use the host's devices
	memory   Size   // it does not start with less
	taken    string // the name that it cannot have, since libvirt has a file so called for itself
	whatItIs string
}

var backends = []traits{
	{name: LXC, maps: true, sockets: true, devices: true, memory: 4 << 20, taken: "driver", whatItIs: "a container"},
	{name: KVM, kernel: true, disks: true, memory: 64 << 20, whatItIs: "a machine"},
}

// Backends are all that there are.
func Backends() []Backend { return with(func(traits) bool { return true }) }

// with are the backends that have a trait.
func with(has func(traits) bool) (names []Backend) {
	for _, t := range backends {
		if has(t) {
			names = append(names, t.name)
		}
	}
	return names
}

// known says whether there is such a backend.
func (b Backend) known() bool { return b.ask().name != "" }

// ask gives the traits of a backend. One that is not known has none: it was refused
// already, or there is no profile at all.
func (b Backend) ask() traits {
	if i := slices.IndexFunc(backends, func(t traits) bool { return t.name == b }); i >= 0 {
		return backends[i]
	}
	return traits{}
}

// BootsKernel says whether a sandbox of the backend boots a kernel of its own, of
// which the profile's machine tells.
func (b Backend) BootsKernel() bool { return b.ask().kernel }

// MapsUsers says whether the ids inside stand for ids of the host's, of which the
// profile's users tells.
func (b Backend) MapsUsers() bool { return b.ask().maps }

// SharesSockets says whether what runs inside can connect to a socket of the host's
// that it sees.
func (b Backend) SharesSockets() bool { return b.ask().sockets }

// onlyFor says for which backends something is.
func onlyFor(what string, has func(traits) bool) string {
	var names []string
	for _, name := range with(has) {
		names = append(names, fmt.Sprintf("backend: %q", name))
	}
	return what + " for " + strings.Join(names, " or ")
}
