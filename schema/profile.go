package schema

import (
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/internal/syscalls"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Profile is one sandbox: what runs, what of the host it sees, what it may
// write, which packets may pass and what it may consume. It is what a CUE
// profile decodes into, with every default filled in.
type Profile struct {
	Name         string             `json:"name"`
	Description  string             `json:"description,omitempty"`
	Backend      Backend            `json:"backend"`
	Run          Run                `json:"run"`
	Expose       []string           `json:"expose,omitempty"` // host paths, read-only, at the same path inside
	Mounts       map[string]Mount   `json:"mounts,omitempty"` // by their path inside
	Network      *Network           `json:"network,omitempty"`
	Networks     map[string]Network `json:"networks,omitempty"` // several interfaces, in the order of their keys; never together with Network
	Secrets      map[string]Secret  `json:"secrets,omitempty"`  // by their file's name in /run/secrets
	Display      *Display           `json:"display,omitempty"`  // nil: no screen
	Devices      []string           `json:"devices,omitempty"`  // character devices of the host's, at the same path inside
	After        []string           `json:"after,omitempty"`    // sandboxes that start before this one, where they start together
	Every        string             `json:"every,omitempty"`    // when it runs; empty: it stays up
	Resources    Resources          `json:"resources"`
	Capabilities []string           `json:"capabilities,omitempty"` // lower case, without "cap_"
	MAC          MAC                `json:"mac"`
	Syscalls     Syscalls           `json:"syscalls,omitzero"`
	Sysctls      map[string]Sysctl  `json:"sysctls,omitempty"` // by their names, as sysctl(8) has them
	Users        Users              `json:"users"`
	Machine      Machine            `json:"machine"`
	Hostname     string             `json:"hostname"`
	Labels       map[string]string  `json:"labels,omitempty"`

	// Tests are claims that `sbx test` checks, by name. They take no part in
	// the profile's meaning.
	Tests map[string]Test `json:"tests,omitempty"`

	// Source says where each value was written. It is not part of the
	// profile's meaning and takes no part in its digest.
	Source Source `json:"-"`
}

// MAC is what the host's mandatory access control is to do.
type MAC string

// What a profile can say of it.
const (
	MACRequired  MAC = "require" // no start where libvirt confines by neither AppArmor nor SELinux
	MACPreferred MAC = "prefer"  // one wall less there
	MACNone      MAC = "none"    // no profile and no policy of the sandbox's own
)

// Source finds the place in the user's files that gave a value. A path is
// written as CUE writes it: `network.allow[2]`, `mounts."/run".tmpfs`. Where
// the value itself was not written (a default), the nearest enclosing value
// that was is meant. File names are relative to the project's root, so that
// they are the same on every machine.
type Source interface {
	Pos(path string) diag.Pos

	// Origin is where the value at just this path comes from; ok is false for a
	// default, which stands in no file.
	Origin(path string) (pos diag.Pos, ok bool)
}

// Run is the command: the service of `sbx up`, or the default of `sbx run`.
type Run struct {
	Argv         []string          `json:"argv"`
	Env          map[string]string `json:"env,omitempty"`
	Workdir      string            `json:"workdir"`
	User         string            `json:"user"`                   // "root", "www-data", "1000", "1000:1000"; names are those of the exposed /etc/passwd
	Capabilities []string          `json:"capabilities,omitempty"` // of the profile's, those that User holds where it is not root
	Umask        string            `json:"umask"`
	Ready        *Ready            `json:"ready,omitempty"`
	Prepare      []Step            `json:"prepare,omitempty"` // before each start, one after the other
	Reload       *Reload           `json:"reload,omitempty"`
	Health       *Health           `json:"health,omitempty"`
	Restart      Restart           `json:"restart"`
	Stop         Stop              `json:"stop"`
}

// Root says whether the command runs as root, by the user's name or number; what
// other names stand for, the sandbox's own /etc/passwd says.
func (r *Run) Root() bool {
	user, _, _ := strings.Cut(r.User, ":")
	return user == "root" || strings.Trim(user, "0") == ""
}

// Probe is a question to the service, asked inside the sandbox; exactly one
// field is set.
type Probe struct {
	TCP  int      `json:"tcp,omitempty"`  // a port on which the service accepts
	File string   `json:"file,omitempty"` // a path that exists
	Exec []string `json:"exec,omitempty"` // a command that exits 0
	HTTP *HTTP    `json:"http,omitempty"` // a request that is answered with a status below 400
}

// Ready says when the service counts as started.
type Ready struct {
	Probe
	Notify  bool     `json:"notify,omitempty"` // the service says so itself; in place of a probe
	Timeout Duration `json:"timeout"`
}

// Health says when a started service counts as broken: it is stopped then, and
// its restart policy says what follows.
type Health struct {
	Probe
	Every    Duration `json:"every"`    // from one probe to the next
	Failures int      `json:"failures"` // so many in a row
}

// Step is a command that runs to its end before the service starts.
type Step struct {
	Exec    []string `json:"exec"`
	User    string   `json:"user,omitempty"` // empty: the run's
	Timeout Duration `json:"timeout"`
}

// Reload says how a service is asked to read its configuration anew; one of Signal and
// Exec is set.
type Reload struct {
	Signal  string   `json:"signal,omitempty"` // "HUP", …
	Exec    []string `json:"exec,omitempty"`
	Timeout Duration `json:"timeout"`
}

// HTTP is a request to the service's own loopback.
type HTTP struct {
	Port int    `json:"port"`
	Path string `json:"path"`
}

// Restart says when sbx-init starts the service anew.
type Restart string

// The restart policies.
const (
	RestartNever     Restart = "never"
	RestartOnFailure Restart = "on-failure"
	RestartAlways    Restart = "always"
)

// Stop is how the service is asked to end, and for how long it may take.
type Stop struct {
	Signal  string   `json:"signal"` // "TERM", "WINCH", …
	Timeout Duration `json:"timeout"`
}

// Secret says where a secret's value is found on the host when the profile is
// applied; exactly one field is set. The value itself is in no profile, bundle
// or log: it is handed to the sandbox's first process, which writes it to a file
// in memory that the run's user alone can read.
type Secret struct {
	File    string   `json:"file,omitempty"`    // a file's content
	Env     string   `json:"env,omitempty"`     // a variable of sbx's environment
	Command []string `json:"command,omitempty"` // what a command prints
}

// Network is one interface and the packets that may pass it. Nothing passes
// that Allow does not name.
type Network struct {
	Attach  string    `json:"attach,omitempty"`  // a libvirt network
	Bridge  string    `json:"bridge,omitempty"`  // an existing host bridge; exactly one of the two
	Create  *Subnet   `json:"create,omitempty"`  // the profile owns the network that Attach names
	Address List      `json:"address,omitempty"` // with prefix length
	DHCP    bool      `json:"dhcp,omitempty"`
	Gateway List      `json:"gateway,omitempty"` // the default routes, at most one a family
	Routes  []Route   `json:"routes,omitempty"`
	DNS     List      `json:"dns,omitempty"`
	Allow   []Rule    `json:"allow,omitempty"`
	Publish []Publish `json:"publish,omitempty"`
}

// Publish is a TCP port of the host that leads to a port of the sandbox.
type Publish struct {
	TCP int  `json:"tcp"`
	To  int  `json:"to"`
	On  List `json:"on,omitempty"` // addresses of the host; none means all of them
}

// Subnet is a libvirt network that sbx makes because a profile says so.
type Subnet struct {
	Mode    string `json:"mode"`    // "nat", "isolated" or "route"
	Address List   `json:"address"` // the host's own addresses on it, with prefix length
	DHCP    string `json:"dhcp,omitempty"`
	Domain  string `json:"domain,omitempty"`
}

// Route is one static route.
type Route struct {
	To  string `json:"to"`
	Via string `json:"via"`
}

// Rule lets packets of one direction pass, and their replies. Exactly one of
// In and Out is set; From goes with In, To with Out; neither means anyone.
type Rule struct {
	In          *Match `json:"in,omitempty"`
	Out         *Match `json:"out,omitempty"`
	From        List   `json:"from,omitempty"`
	To          List   `json:"to,omitempty"`
	Connections int    `json:"connections,omitempty"` // at most so many at once from one remote address; tcp only
}

// Match is the protocol side of a rule; exactly one field is set.
type Match struct {
	TCP    []Ports `json:"tcp,omitempty"`
	UDP    []Ports `json:"udp,omitempty"`
	SCTP   []Ports `json:"sctp,omitempty"`
	ICMP   List    `json:"icmp,omitempty"`   // names or numbers
	ICMPv6 List    `json:"icmpv6,omitempty"` // names or numbers
	Any    bool    `json:"any,omitempty"`
}

// Resources bounds what a sandbox may consume. Zero means no bound of sbx's.
type Resources struct {
	Memory    Size    `json:"memory"`
	CPUs      float64 `json:"cpus"`
	Pids      int     `json:"pids,omitempty"`
	CPUWeight int     `json:"cpuWeight,omitempty"` // 1…10000, as cgroup v2's cpu.weight
	IOWeight  int     `json:"ioWeight,omitempty"`  // 1…10000, as cgroup v2's io.weight

	Ulimits map[string]Ulimit `json:"ulimits,omitempty"` // by their names, as ulimit(1) and limits.conf(5) have them
}

// Syscalls opens system calls that are closed to a sandbox that does not ask.
type Syscalls struct {
	Nested bool     `json:"nested,omitempty"` // what a program with sandboxes of its own needs
	Allow  []string `json:"allow,omitempty"`  // by the words of package syscalls
}

// Words are all that it opens, by the words of package syscalls.
func (s Syscalls) Words() []string {
	words := slices.Clone(s.Allow)
	if s.Nested {
		words = append(words, syscalls.Nested...)
	}
	return words
}

// Users is the sandbox's view of user ids (lxc). The ids inside run from 0 to
// 65535 and stand for host ids from Base on. A zero Base is derived from the
// name.
type Users struct {
	Namespace bool   `json:"namespace"`
	Base      uint32 `json:"base,omitempty"`
}

// Machine is what only a kvm sandbox has.
type Machine struct {
	Accel   string `json:"accel"`             // "require" or "prefer" KVM
	Arch    string `json:"arch,omitempty"`    // "x86_64" or "aarch64"; empty: the host's
	Kernel  string `json:"kernel,omitempty"`  // a kernel image; empty: the host's own
	Modules string `json:"modules,omitempty"` // its module tree; empty: the kernel's own
}
