// Package randomprofile makes profiles for property tests: valid ones of every
// kind, from a small world in which they often meet.
package randomprofile

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// The world: whom rules speak of, and the ports that they name.
var (
	Remotes = []string{"10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3", "192.0.2.7"}
	Ports   = []int{80, 81, 82}
)

// Maker makes profiles from its source of chance.
type Maker struct {
	*rand.Rand
	Bridge string // of the host, for interfaces on no network of their own

	// Starts leaves out what a test host without anything else cannot start: a
	// machine, readiness and health of a service that is none, DHCP, secrets.
	Starts bool
}

type nowhere struct{}

func (nowhere) Pos(string) diag.Pos            { return diag.Pos{} }
func (nowhere) Origin(string) (diag.Pos, bool) { return diag.Pos{}, false }

// Profile makes one of the name.
func (m *Maker) Profile(name string) *schema.Profile {
	p := &schema.Profile{
		Name: name, Backend: schema.LXC, Hostname: name, Source: nowhere{},
		Expose:    append([]string{"/usr"}, m.some("/etc/group", "/etc/ld.so.cache", "/etc/passwd")...),
		Mounts:    m.mounts(name),
		Users:     schema.Users{Namespace: true},
		Machine:   schema.Machine{Accel: "require"},
		MAC:       schema.MACPreferred,
		Resources: schema.Resources{Memory: schema.Size(64+64*m.IntN(3)) << 20, CPUs: pick(m, 0.5, 1, 1.5), Pids: pick(m, 64, 128), CPUWeight: pick(m, 0, 50, 100), IOWeight: pick(m, 0, 100)},
		Run:       m.run(),
	}
	p.Capabilities = m.some("chown", "kill", "net_bind_service", "setuid")
	if !m.Starts && m.odds(3) {
		p.Resources.Ulimits = map[string]schema.Ulimit{"core": {}, "nofile": {Soft: schema.Amount(1 + m.IntN(1024)), Hard: 4096}, "memlock": {Hard: schema.Unlimited}}
		p.Sysctls = map[string]schema.Sysctl{"net.core.somaxconn": pick[schema.Sysctl](m, "100", "4096"), "kernel.sem": "250 32000 100 200"}
	}
	p.Syscalls = schema.Syscalls{Nested: m.odds(8), Allow: m.some("debug", "io_uring", "userfaultfd")}
	if !m.Starts && m.odds(6) {
		p.Display = &schema.Display{Server: schema.X11, Size: pick(m, "640x480", "1280x800"), Clipboard: pick(m, schema.ClipboardNone, schema.ClipboardIn, schema.ClipboardBoth), Resize: m.odds(2)}
	}
	if m.odds(4) {
		p.Hostname = "host." + name
	}
	if m.odds(4) {
		p.Description, p.Labels = "a profile by chance & <more>", map[string]string{"team": "a"}
	}
	switch {
	case !m.Starts && m.odds(3):
		p.Backend, p.Machine.Accel = schema.KVM, pick(m, "require", "prefer")
		if m.odds(2) {
			p.Mounts["/data"] = schema.Mount{Image: "/srv/data.img", Format: pick(m, "raw", "qcow2"), Writable: m.odds(2)}
		}
	case !m.Starts && m.odds(6):
		p.Devices = m.some("/dev/fuse", "/dev/net/tun", "/dev/dri/renderD128")
	case m.odds(6):
		p.Mounts["/host"] = schema.Mount{Figures: pick(m, "proc", "sys")}
	case m.odds(6):
		p.Users.Namespace = false
	case m.odds(6):
		p.Users.Base = 1 << 20
	}
	if !m.Starts && m.odds(3) {
		p.Secrets = map[string]schema.Secret{"key": pick(m, schema.Secret{Env: "KEY"}, schema.Secret{File: "/etc/key"}, schema.Secret{Command: []string{"/bin/key", "-n"}})}
	}
	m.networks(p)
	return p
}

func (m *Maker) run() schema.Run {
	r := schema.Run{Argv: []string{"/usr/bin/sleep", pick(m, "1000", "2000")}, Workdir: pick(m, "/", "/usr"), User: pick(m, "root", "1000", "1000:1001"),
		Umask: pick(m, "0022", "0077"), Restart: pick(m, schema.RestartNever, schema.RestartOnFailure, schema.RestartAlways),
		Stop: schema.Stop{Signal: pick(m, "TERM", "INT"), Timeout: schema.Duration(time.Duration(1+m.IntN(3)) * time.Second)}}
	if m.odds(2) {
		r.Env = map[string]string{"A": pick(m, "1", "2 & <3>")}
	}
	if m.Starts {
		return r
	}
	for range m.IntN(3) {
		r.Prepare = append(r.Prepare, schema.Step{Exec: []string{"/bin/ok", pick(m, "-t", "-u")}, User: pick(m, "", "root", "1000"), Timeout: schema.Duration(time.Minute)})
	}
	if m.odds(3) {
		r.Reload = &schema.Reload{Signal: "HUP", Timeout: schema.Duration(time.Minute)}
		if m.odds(2) {
			r.Reload.Signal, r.Reload.Exec = "", []string{"/bin/ok", "-r"}
		}
	}
	probe := pick(m, schema.Probe{TCP: 80}, schema.Probe{File: "/ok"}, schema.Probe{Exec: []string{"/bin/ok", "-q"}}, schema.Probe{HTTP: &schema.HTTP{Port: 80, Path: "/"}})
	if m.odds(3) {
		r.Ready = &schema.Ready{Probe: probe, Timeout: schema.Duration(10 * time.Second)}
		if m.odds(4) {
			r.Ready.Probe, r.Ready.Notify = schema.Probe{}, true
		}
	}
	if m.odds(3) {
		r.Health = &schema.Health{Probe: probe, Every: schema.Duration(time.Second), Failures: 1 + m.IntN(3)}
	}
	return r
}

func (m *Maker) mounts(name string) map[string]schema.Mount {
	mounts := map[string]schema.Mount{}
	content := pick(m, "port 80\n", "port 81 <&>\n", "")
	for at, mount := range map[string]schema.Mount{
		"/run":     {Tmpfs: schema.Size(1+m.IntN(2)) << 20, Mode: pick(m, "0755", "0700")},
		"/srv/a":   {File: &content, Mode: pick(m, "0644", "0600")},
		"/srv/a-b": {File: &content, Mode: "0644"},
		"/srv/b":   {Host: pick(m, "/usr/bin", "/usr/share")},
		"/srv/c":   {Host: "/srv/" + name, Writable: true},
	} {
		mounts[at] = mount
	}
	for _, at := range m.some("/run", "/srv/a", "/srv/a-b", "/srv/b", "/srv/c") {
		delete(mounts, at)
	}
	return mounts
}

// networks gives a profile no interface, one or several. Of the keys one is often
// the front of another.
func (m *Maker) networks(p *schema.Profile) {
	switch m.IntN(4) {
	case 0:
	case 1, 2:
		n := m.network(0)
		p.Network = &n
	default:
		keys := m.some("a", "a-b", "lan", "lan-", "lan-b", "lanb")
		p.Networks = map[string]schema.Network{}
		for i, key := range keys {
			p.Networks[key] = m.network(i)
		}
	}
}

func (m *Maker) network(i int) schema.Network {
	n := schema.Network{Bridge: m.Bridge, Address: schema.List{fmt.Sprintf("10.77.%d.2/24", i)}}
	switch {
	case m.odds(8):
		n.Bridge, n.Attach = "", fmt.Sprintf("random%d", i)
		n.Create = &schema.Subnet{Mode: pick(m, "nat", "isolated", "route"), Address: schema.List{fmt.Sprintf("10.77.%d.1/24", i)}}
		if m.odds(2) {
			n.Create.DHCP, n.Create.Domain = fmt.Sprintf("10.77.%d.100-10.77.%d.200", i, i), "random.test"
		}
	case !m.Starts && m.odds(4):
		n.Address, n.DHCP = nil, true
	}
	if m.odds(2) && !n.DHCP {
		n.Address = append(n.Address, fmt.Sprintf("fd77:%d::2/64", i))
		if n.Create != nil {
			n.Create.Address = append(n.Create.Address, fmt.Sprintf("fd77:%d::1/64", i))
		}
	}
	if i == 0 && !n.DHCP && m.odds(2) {
		n.Gateway = schema.List{"10.77.0.1"}
		n.Routes = []schema.Route{{To: "10.9.0.0/16", Via: "10.77.0.9"}}
	}
	n.DNS = pick(m, nil, schema.List{"10.77.0.1"}, schema.List{"9.9.9.9", "10.77.0.1"}, schema.List{"10.77.0.1", "9.9.9.9"})
	for range m.IntN(4) {
		n.Allow = append(n.Allow, m.Rule())
	}
	if !n.DHCP && m.odds(4) {
		n.Allow = append(n.Allow, schema.Rule{In: &schema.Match{TCP: []schema.Ports{{From: 80, To: 80}}}})
		n.Publish = []schema.Publish{{TCP: 28080 + i, To: 80}}
	}
	return n
}

// Rule makes one of an interface that speaks IPv4 at least.
func (m *Maker) Rule() schema.Rule {
	match := new(schema.Match)
	switch m.IntN(6) {
	case 0:
		match.UDP = m.ports()
	case 1:
		match.ICMP = schema.List{pick(m, "echo-request", "destination-unreachable")}
	case 2:
		match.Any = true
	default:
		match.TCP = m.ports()
	}
	remotes := pick(m, nil, schema.List{"10.0.0.0/30"}, schema.List{"10.0.0.1-10.0.0.2"}, schema.List{"10.0.0.1", "10.0.0.3"}, schema.List{"10.0.0.0/31", "192.0.2.7"})
	if m.odds(3) {
		return schema.Rule{Out: match, To: remotes}
	}
	rule := schema.Rule{In: match, From: remotes}
	if len(match.TCP) > 0 && len(remotes) > 0 && m.odds(2) {
		rule.Connections = 1 + m.IntN(3)
	}
	return rule
}

func (m *Maker) ports() []schema.Ports {
	low := m.IntN(len(Ports))
	one := schema.Ports{From: uint16(Ports[low]), To: uint16(Ports[low+m.IntN(len(Ports)-low)])}
	if other := uint16(Ports[m.IntN(len(Ports))]); m.odds(2) && (one.From != other || one.To != other) {
		return []schema.Ports{one, {From: other, To: other}}
	}
	return []schema.Ports{one}
}

func (m *Maker) odds(n int) bool { return m.IntN(n) == 0 }

// some is each of the words by a toss.
func (m *Maker) some(words ...string) []string {
	return slices.DeleteFunc(words, func(string) bool { return m.odds(2) })
}

func pick[V any](m *Maker, from ...V) V { return from[m.IntN(len(from))] }
