// Package box writes profiles of containers as the files of container engines describe
// them, compose's and podman's quadlets: the programs are the host's, in place of an
// image's.
package box

import (
	"fmt"
	"io/fs"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/sbx-dev/sbx/internal/draft/amounts"
	"github.com/sbx-dev/sbx/internal/draft/known"
	"github.com/sbx-dev/sbx/internal/draft/profile"
	"github.com/sbx-dev/sbx/internal/rootsockets"
	"github.com/sbx-dev/sbx/internal/unitfile"
	"github.com/sbx-dev/sbx/schema"
)

// box is a container as a file of a container engine describes it, whose image holds
// programs of its own: here they are the host's.
type box struct {
	profile.Origin
	host    fs.FS
	file    string // that describes it
	project string // what those that stand there together have in common

	shared bool // those that stand there together reach each other

	description, image, argvWhy        string
	argv                               []string
	env                                []known.Reasoned // Why is the value
	envFiles                           []string
	workdir, user, hostname            string
	restart, signal, timeout           string
	ports                              []port
	mounts                             []mount
	capabilities, after, devices       []string
	memory, cpus, pids                 string
	health                             []string
	healthEvery, healthFailures, notes string
	ulimits                            []limit
	sysctls                            []known.Reasoned // Why is the value
	notify                             bool
	reload                             string

	left  []string // what no line of the profile says
	edits []string
}

// port is a port that it offers, and the host's that leads there; 0 for none.
type port struct {
	on            string
	host, inside  int
	protocol, why string
}

// mount is what stands at a path inside.
type mount struct {
	inside, host  string // host is "" for one in memory
	readOnly      bool
	size, why     string
	volumeOfTheir string // the engine's name for it, where it keeps it
}

// limit is a limit of each process.
type limit struct {
	name string
	schema.Ulimit
}

func (b *box) edit(format string, args ...any) {
	b.edits = append(b.edits, fmt.Sprintf(format, args...))
}

// leave notes what no line of the profile says.
func (b *box) leave(where, key, value string) {
	b.left = append(b.left, strings.TrimSpace(fmt.Sprintf("%s: %s %s", where, key, value)))
}

// searched is where the host's program of a name may be.
var searched = []string{"usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin"}

// findProgram has the command be the host's program.
func (b *box) findProgram() {
	if len(b.argv) == 0 {
		b.argv, b.argvWhy = []string{b.Name}, "no more than a guess: the image says what starts"
		b.edit("run.argv: %s says what starts; write the host's program and its arguments here", strings.TrimSpace("the image "+b.image))
	}
	if strings.HasPrefix(b.argv[0], "/") {
		if _, err := fs.Stat(b.host, strings.TrimPrefix(path.Clean(b.argv[0]), "/")); err != nil {
			b.edit("run.argv: there is no %s on this host: it stands in the image %s", b.argv[0], b.image)
		}
		return
	}
	for _, dir := range searched {
		if _, err := fs.Stat(b.host, dir+"/"+b.argv[0]); err == nil {
			b.argv[0] = "/" + dir + "/" + b.argv[0]
			return
		}
	}
	b.edit("run.argv: there is no program %s on this host: install its package, or write another one's path", b.argv[0])
	b.argv[0] = "/usr/bin/" + path.Base(b.argv[0])
}

// addPort reads a port as engines write them: "80", "8080:80", "127.0.0.1:8080:80/udp".
func (b *box) addPort(text, why string) {
	number, protocol, _ := strings.Cut(text, "/")
	if protocol == "" {
		protocol = "tcp"
	}
	p := port{protocol: protocol, why: why}
	parts := strings.Split(number, ":")
	if i := strings.LastIndexByte(number, ']'); i >= 0 && strings.HasPrefix(number, "[") {
		parts = append([]string{number[1:i]}, strings.Split(strings.TrimPrefix(number[i+1:], ":"), ":")...)
	}
	var err error
	p.inside, err = strconv.Atoi(parts[len(parts)-1])
	if err == nil && len(parts) > 1 && parts[len(parts)-2] != "" {
		p.host, err = strconv.Atoi(parts[len(parts)-2])
	}
	if err == nil && len(parts) == 3 && parts[0] != "0.0.0.0" {
		var on netip.Addr
		on, err = netip.ParseAddr(parts[0])
		p.on = on.String()
	}
	right := func(n int) bool { return 0 <= n && n < 1<<16 }
	if err != nil || len(parts) > 3 || p.inside == 0 || !right(p.inside) || !right(p.host) || protocol != "tcp" && protocol != "udp" {
		b.edit("network: the port %q is not said here: write it in network.allow and network.publish", text)
		return
	}
	if p.host != 0 && protocol != "tcp" {
		b.edit("network.publish: %s leads the host's udp port %d there, and publish knows tcp alone", why, p.host)
		p.host = 0
	}
	b.ports = append(b.ports, p)
}

// addVolume reads a volume: "HOST:INSIDE:ro,Z", "NAME:INSIDE" or "INSIDE".
func (b *box) addVolume(text, why string) {
	parts := strings.Split(text, ":")
	m := mount{why: why}
	switch len(parts) {
	case 1:
		m.inside, m.size = parts[0], "64MiB"
		b.edit("mounts: %s is kept by the engine under no name; here it is in memory, and gone when it stops", parts[0])
	case 2, 3:
		m.host, m.inside = parts[0], parts[1]
		m.readOnly = len(parts) == 3 && slices.Contains(strings.Split(parts[2], ","), "ro")
	default:
		m.inside = ""
	}
	b.addMount(m)
}

func (b *box) addMount(m mount) {
	m.inside = profile.Path(m.inside)
	switch {
	case m.inside == "":
		b.edit("mounts: the volume of %s is not said here", m.why)
		return
	case m.host == "":
	case strings.HasPrefix(m.host, "."):
		m.host = path.Join(path.Dir(b.file), m.host)
	case !strings.HasPrefix(m.host, "/"):
		m.volumeOfTheir = m.host
		m.host = "/srv/" + profile.Name(b.project) + "/" + profile.Name(m.host)
		b.edit("mounts: the volume %s is the engine's; copy what is in it to %s, which sbx makes", m.volumeOfTheir, m.host)
	}
	if m.host != "" {
		if m.host = profile.Path(m.host); m.host == "" {
			b.edit("mounts: the host's folder for %s is no path", m.inside)
			return
		}
		if root := rootsockets.In(m.host); root != "" {
			b.edit("mounts: %s is left out: %s", m.host, root)
			b.leave(m.why, "volume", m.host)
			return
		}
	}
	b.mounts = append(b.mounts, m)
}

// addCapability is one of Linux's, by any of its names.
func (b *box) addCapability(name string) {
	name = strings.TrimPrefix(strings.ToLower(name), "cap_")
	if name == "all" {
		b.edit("capabilities: all of them are asked for; name those that it needs")
		return
	}
	b.capabilities = append(b.capabilities, name)
}

// addDevice lets it use a device of the host's, at the same path, to read and to write:
// another way of using one no profile says.
func (b *box) addDevice(text string) {
	parts := strings.Split(strings.TrimPrefix(text, "-"), ":")
	for _, p := range parts[1:] {
		if p != parts[0] && p != "rw" && p != "rwm" {
			b.edit("devices: %s: a device is at the host's path here, and can be read and written; name it in devices if that is meant", profile.Printable(text))
			return
		}
	}
	if parts[0] != "" && !slices.Contains(b.devices, parts[0]) {
		b.devices = append(b.devices, parts[0])
	}
}

// addUlimit limits each process, and says whether a profile can say so.
func (b *box) addUlimit(name, value string) bool {
	u, ok := amounts.Limit(name, value)
	if ok && !slices.ContainsFunc(b.ulimits, func(l limit) bool { return l.name == name }) {
		b.ulimits = append(b.ulimits, limit{name, u})
	}
	return ok
}

// addSysctl sets what the kernel keeps for each sandbox.
func (b *box) addSysctl(text string) {
	name, value, _ := strings.Cut(text, "=")
	if !slices.ContainsFunc(b.sysctls, func(v known.Reasoned) bool { return v.Name == name }) {
		b.sysctls = append(b.sysctls, known.Reasoned{Name: name, Why: value})
	}
}

// setShm is the size of /dev/shm, which a sandbox has where it is named.
func (b *box) setShm(text, why string) bool {
	size := amounts.EngineSize(text)
	if size != "" {
		b.addMount(mount{inside: "/dev/shm", size: size, why: why})
	}
	return size != ""
}

// findEnvironment takes up what files of variables set that stand beside the described
// one, unless that sets it itself.
func (b *box) findEnvironment() error {
	var files []unitfile.Setting
	for _, name := range b.envFiles {
		if !strings.HasPrefix(name, "/") {
			name = path.Join(path.Dir(b.file), name)
		}
		files = append(files, unitfile.Setting{Section: "Service", Name: "EnvironmentFile", Value: name})
	}
	variables, missing, err := unitfile.New("", files...).Environment(b.host)
	for _, v := range variables {
		b.addEnvironment([]string{v.Name + "=" + v.Value})
	}
	for _, name := range missing {
		b.edit("run.env: %s cannot be read, which names variables", name)
	}
	return err
}

// setRestart has the engine's word for when it starts again.
func (b *box) setRestart(word string) bool {
	word, _, _ = strings.Cut(word, ":")
	said := map[string]string{"no": "never", "never": "never", "always": "always", "unless-stopped": "always", "on-failure": "on-failure"}[word]
	b.restart = said
	return said != ""
}

// draft writes the profile, without what no profile says.
func (b *box) draft() (*profile.Draft, error) {
	b.findProgram()
	if err := b.findEnvironment(); err != nil {
		return nil, err
	}
	for {
		edits := len(b.edits)
		d, err := b.write()
		if err == nil {
			return d, nil
		}
		b.edits = b.edits[:edits] // writing adds some
		if !b.leaveOut(err) {
			return nil, err
		}
	}
}

// commandWords splits a command as a unit's ExecStart is split.
func commandWords(text string) []string {
	words, err := unitfile.Words(text)
	if err != nil {
		return nil
	}
	return words
}
