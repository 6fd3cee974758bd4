// Package manifest is the contract between the compiler, the runtime and a
// sandbox's first process: all that the guest is told, as it is written down. It
// imports nothing of ours, and knows nothing of CUE, libvirt and kernels.
package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"unicode/utf8"
)

// Version is the manifest's format. A reader refuses every other.
const Version = 1

// Where things stand in the initrd.
const (
	InitPath     = "/init"
	ManifestPath = "/.sbx/manifest.json"
	ModulesPath  = "/modules" // *.ko, to be loaded in the order of their names
)

// Manifest is all that a sandbox's first process is told: what its root is made
// of, how it reaches the network, and what it runs. The compiler writes it; the
// initrd builder and sbx-init do what it says and nothing else.
type Manifest struct {
	Version    int         `json:"version"`
	Name       string      `json:"name"`
	Hostname   string      `json:"hostname"`
	Modules    []Module    `json:"modules,omitempty"` // kernel modules that a machine needs; their dependencies are found at build time
	Root       []Node      `json:"root"`              // what stands in the empty root before anything is mounted, parents first
	Mounts     []Mount     `json:"mounts"`            // in the order in which they are mounted, parents first
	Interfaces []Interface `json:"interfaces,omitempty"`
	Ping       bool        `json:"ping,omitempty"`    // any process may send echo requests and receive their replies, without CAP_NET_RAW
	Display    *Display    `json:"display,omitempty"` // the screen that a viewer on the host sees
	Devices    []string    `json:"devices,omitempty"` // of the host's, which everyone inside may use
	Sysctls    []Sysctl    `json:"sysctls,omitempty"` // settings of the kernel's, sorted by name
	Secrets    []string    `json:"secrets,omitempty"` // names of files in SecretsDir, whose content the host sends before Run may start
	Service    bool        `json:"service"`           // start Run at once and keep it by its restart policy; else wait for the host to attach
	Run        Run         `json:"run"`
}

// SecretsDir is where a sandbox finds its secrets, a file each, in memory.
const SecretsDir = "/run/secrets"

// MaxSecret is the most bytes that a secret may hold.
const MaxSecret = 32 << 10

// DisplayDir is where a sandbox's X server keeps its sockets and keys, in memory.
const DisplayDir = "/run/display"

// Display is a screen, drawn by an X server that the first process starts before Run
// and that ends with the sandbox.
type Display struct {
	Width        int  `json:"width"` // in pixels
	Height       int  `json:"height"`
	ClipboardIn  bool `json:"clipboardIn,omitempty"`  // copied text passes from the viewer into the sandbox
	ClipboardOut bool `json:"clipboardOut,omitempty"` // and out of it
	Resize       bool `json:"resize,omitempty"`       // a viewer may change the size
}

// Sysctl is a setting of the kernel that the sandbox has for itself.
type Sysctl struct {
	Name  string `json:"name"` // as sysctl(8) has it: net.core.somaxconn
	Value string `json:"value"`
}

// Mode is permission bits, with set-id and sticky bits, as in chmod(2). It is
// written in octal: "0755".
type Mode uint32

// MarshalText implements encoding.TextMarshaler.
func (m Mode) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%#04o", uint32(m)), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (m *Mode) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 8, 12)
	if err != nil {
		return fmt.Errorf("%q is not an octal mode such as 0644", text)
	}
	*m = Mode(n)
	return nil
}

// Module is a kernel module and the part of the profile that needs it.
type Module struct {
	Name string `json:"name"`
	For  string `json:"for"`
}

// Node is a folder, an empty file or a symbolic link in the sandbox's root.
type Node struct {
	Path string `json:"path"`
	Kind string `json:"kind"`           // "dir", "file" or "link"
	Link string `json:"link,omitempty"` // the link's target
	Mode Mode   `json:"mode,omitempty"` // 0 means 0755 for a folder, 0644 for a file
}

// The kinds of Node.
const (
	Dir  = "dir"
	File = "file"
	Link = "link"
)

// PortName is the virtio-serial port through which a machine's first process
// speaks with the host.
const PortName = "sbx.0"

// SingleFile is the name, in a machine's export, of a host file that the profile
// names by itself.
const SingleFile = "file"

// Interface is one network interface. Inside a container libvirt has set the
// addresses, routes and link already; only DHCP is left to do.
type Interface struct {
	Name      string   `json:"name"` // eth0, eth1, …
	MAC       string   `json:"mac"`
	Addresses []string `json:"addresses,omitempty"` // with prefix length
	Gateways  []string `json:"gateways,omitempty"`
	Routes    []Route  `json:"routes,omitempty"`
	DHCP      bool     `json:"dhcp,omitempty"`
}

// Route is a static route.
type Route struct {
	To  string `json:"to"`
	Via string `json:"via"`
}

// Run is the command and the state that it starts in.
type Run struct {
	Argv         []string `json:"argv"`
	Env          []string `json:"env"` // sorted NAME=value
	Workdir      string   `json:"workdir"`
	User         string   `json:"user"`
	Umask        Mode     `json:"umask"`
	Capabilities []string `json:"capabilities,omitempty"` // all that anything inside may ever hold, and root holds
	UserHolds    []string `json:"userHolds,omitempty"`    // those of them that User holds where it is not root; no other user holds any
	Syscalls     []string `json:"syscalls,omitempty"`     // open besides those that are open to everyone, by the words of package syscalls
	Pids         int      `json:"pids,omitempty"`
	Limits       []Limit  `json:"limits,omitempty"`  // of each process, sorted by name
	Restart      string   `json:"restart,omitempty"` // "never", "on-failure" or "always"
	StopSignal   string   `json:"stopSignal"`
	StopTimeout  int64    `json:"stopTimeout"` // milliseconds
	Ready        *Ready   `json:"ready,omitempty"`
	Health       *Health  `json:"health,omitempty"`
	Prepare      []Step   `json:"prepare,omitempty"` // before each start, one after the other
	Reload       *Reload  `json:"reload,omitempty"`
}

// Limit is what a process may have of something, as setrlimit(2) has it.
type Limit struct {
	Name string `json:"name"` // "nofile", …
	Soft uint64 `json:"soft"`
	Hard uint64 `json:"hard"`
}

// Unlimited is no limit: the kernel's RLIM_INFINITY.
const Unlimited = ^uint64(0)

// Step is a command that runs to its end before Run starts.
type Step struct {
	Exec    []string `json:"exec"`
	User    string   `json:"user,omitempty"` // empty: Run's
	Timeout int64    `json:"timeout"`        // milliseconds
}

// Reload is how the service is asked to read its configuration anew; one of Signal and
// Exec is set.
type Reload struct {
	Signal  string   `json:"signal,omitempty"`
	Exec    []string `json:"exec,omitempty"`
	Timeout int64    `json:"timeout"` // milliseconds
}

// Probe is a question to the service; one of its kinds is set.
type Probe struct {
	TCP      int      `json:"tcp,omitempty"`
	File     string   `json:"file,omitempty"`
	Exec     []string `json:"exec,omitempty"`
	HTTPPort int      `json:"httpPort,omitempty"`
	HTTPPath string   `json:"httpPath,omitempty"`
}

// Ready is how sbx-init finds out that the service has started.
type Ready struct {
	Probe
	Notify  bool  `json:"notify,omitempty"` // the service says itself when: sd_notify(3)
	Timeout int64 `json:"timeout"`          // milliseconds
}

// Health is how sbx-init finds out that a started service is broken.
type Health struct {
	Probe
	Every    int64 `json:"every"`    // milliseconds
	Failures int   `json:"failures"` // in a row
}

// Encode writes the manifest as JSON: the same bytes for the same manifest.
func (m *Manifest) Encode() ([]byte, error) {
	if text, found := invalidText(reflect.ValueOf(m)); found {
		return nil, fmt.Errorf("manifest: %q is not UTF-8, and would stand for something else there", text)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(m); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// invalidText finds a string that JSON cannot hold, which encoding/json changes in
// silence.
func invalidText(v reflect.Value) (text string, found bool) {
	switch v.Kind() {
	case reflect.String:
		return v.String(), !utf8.ValidString(v.String())
	case reflect.Pointer:
		if !v.IsNil() {
			return invalidText(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if text, found = invalidText(v.Field(i)); found {
				return text, true
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			if text, found = invalidText(v.Index(i)); found {
				return text, true
			}
		}
	case reflect.Map:
		for key, value := range v.Seq2() {
			for _, part := range []reflect.Value{key, value} {
				if text, found = invalidText(part); found {
					return text, true
				}
			}
		}
	}
	return "", false
}

// Decode reads a manifest. Another version and unknown fields are errors: a
// guest must not run under a manifest that it only half understands.
func Decode(data []byte) (*Manifest, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	m := new(Manifest)
	if err := d.Decode(m); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	if m.Version != Version {
		return nil, fmt.Errorf("manifest: version %d, but this sbx reads version %d: build sbx and sbx-init from the same release", m.Version, Version)
	}
	for _, mount := range m.Mounts {
		if !slices.Contains(MountKinds, mount.Kind) {
			return nil, fmt.Errorf("manifest: the mount on %s is of the kind %q, which this sbx does not know: build sbx and sbx-init from the same release", mount.Target, mount.Kind)
		}
	}
	return m, nil
}
