package review

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/internal/rootsockets"
	"github.com/sbx-dev/sbx/internal/syscalls"
	"github.com/sbx-dev/sbx/schema"
)

// item is something that a version has or has not, in words, and its place.
type item struct {
	text, path string
	detail     string // what tells it from others beyond the words
}

// set compares two lists of items as sets.
func (c *comparer) set(d Dimension, old, new []item) {
	c.missing(d, true, new, old)
	c.missing(d, false, old, new)
}

// missing reports the items of one list that the other has not.
func (c *comparer) missing(d Dimension, added bool, of, from []item) {
	for _, i := range of {
		if !slices.ContainsFunc(from, func(j item) bool { return i.text == j.text && i.detail == j.detail }) {
			c.add(d, added, i.text, "", i.path)
		}
	}
}

// sequence compares lists of which the order means something, where their sets do
// not tell: the elements that both have, by the order that they stand in.
func (c *comparer) sequence(d Dimension, what, suffix string, old, new []string, oldPath, newPath string) {
	common := func(of, with []string) []string {
		return slices.DeleteFunc(slices.Clone(of), func(s string) bool { return !slices.Contains(with, s) })
	}
	before, after := common(old, new), common(new, old)
	if slices.Equal(before, after) {
		return
	}
	c.add(d, true, what+" in the order "+strings.Join(after, ", ")+suffix, "", newPath)
	c.add(d, false, what+" in the order "+strings.Join(before, ", ")+suffix, "", oldPath)
}

// identity compares what the profiles are called.
func (c *comparer) identity() {
	name := func(p *schema.Profile) []item {
		return []item{{text: "called " + p.Name + ", from which its host ids, MAC addresses and folder follow", path: "name"}}
	}
	c.set(Identity, name(c.old), name(c.new))
	if c.old.Backend.MapsUsers() && c.new.Backend.MapsUsers() && c.old.Users.Namespace && c.new.Users.Namespace {
		c.set(Users, hostIDs(c.old), hostIDs(c.new))
	}
}

// hostIDs are those that a user namespace gives to the sandbox.
func hostIDs(p *schema.Profile) []item {
	return []item{{text: fmt.Sprintf("the host's ids from %d", compiler.HostID(p, 0)), path: "users.base"}}
}

// items compares what has no order, only presence.
func (c *comparer) items() {
	for _, compare := range []struct {
		d    Dimension
		list func(*schema.Profile) []item
	}{{Secrets, secrets}, {Devices, devices}, {Sockets, sockets}, {Display, display}, {Capabilities, capabilities}, {Syscalls, openSyscalls}, {Sysctls, sysctls}, {Users, users}, {Machine, machine}, {Command, command}, {Files, files}} {
		c.set(compare.d, compare.list(c.old), compare.list(c.new))
	}
}

func secrets(p *schema.Profile) (out []item) {
	for _, name := range keys(p.Secrets) {
		s := p.Secrets[name]
		from := "the file " + s.File
		switch {
		case s.Env != "":
			from = "the variable " + s.Env
		case len(s.Command) > 0:
			from = "the command " + words(s.Command)
		}
		out = append(out, item{text: name + " from " + from, path: schema.Field("secrets", name)})
	}
	return out
}

func devices(p *schema.Profile) (out []item) {
	for i, device := range p.Devices {
		out = append(out, item{text: fmt.Sprintf("the host's %s: %s", device, schema.DeviceUse(device)), path: schema.Elem("devices", i)})
	}
	for _, at := range keys(p.Mounts) {
		m := p.Mounts[at]
		if m.Sockets {
			text := fmt.Sprintf("whoever listens at the host's %s, by sockets and FIFOs", word(m.Host))
			if root := rootsockets.In(m.Host); root != "" {
				text += ": " + root
			}
			out = append(out, item{text: text, path: schema.Field("mounts", at)})
		}
		if m.Figures != "" {
			out = append(out, item{text: fmt.Sprintf("the figures of the host's kernel in /%s, at %s", m.Figures, word(at)), path: schema.Field("mounts", at)})
		}
		if m.Image == "" {
			continue
		}
		text := fmt.Sprintf("disk %s (%s) at %s", word(m.Image), m.Format, word(at))
		if m.Writable {
			text += ", writable"
		}
		out = append(out, item{text: text, path: schema.Field("mounts", at)})
	}
	return out
}

// display lists what a screen lets through. Its size is what it is without a window
// that changes it.
func display(p *schema.Profile) (out []item) {
	d := p.Display
	if d == nil {
		return nil
	}
	out = append(out, item{text: fmt.Sprintf("a screen of %s (%s), which sbx view shows", d.Size, d.Server), path: "display"})
	if d.Clipboard.In() {
		out = append(out, item{text: "text that the viewer's user copies passes in", path: "display.clipboard"})
	}
	if d.Clipboard.Out() {
		out = append(out, item{text: "text that is copied inside passes out to the viewer's user", path: "display.clipboard"})
	}
	if d.Resize {
		out = append(out, item{text: "the viewer changes the screen's size", path: "display.resize"})
	}
	return out
}

func capabilities(p *schema.Profile) (out []item) {
	for i, name := range p.Capabilities {
		out = append(out, item{text: name, path: schema.Elem("capabilities", i)})
	}
	for i, name := range p.Run.Capabilities {
		out = append(out, item{text: fmt.Sprintf("%s of the user %s", name, p.Run.User), path: schema.Elem("run.capabilities", i)})
	}
	return out
}

// openSyscalls lists the words that a version opens. What a capability opens stands
// with that one.
func openSyscalls(p *schema.Profile) (out []item) {
	for i, word := range p.Syscalls.Allow {
		out = append(out, item{text: word, path: schema.Elem("syscalls.allow", i)})
	}
	if p.Syscalls.Nested {
		for _, word := range syscalls.Nested {
			out = append(out, item{text: word, path: "syscalls.nested"})
		}
	}
	return out
}

// sysctls lists the settings of the kernel that are not its own defaults.
func sysctls(p *schema.Profile) (out []item) {
	for _, name := range keys(p.Sysctls) {
		out = append(out, item{text: name + " = " + word(string(p.Sysctls[name])), path: schema.Field("sysctls", name)})
	}
	return out
}

// users lists what root inside is on the host. Being root there is more than
// any range of ids.
func users(p *schema.Profile) (out []item) {
	if p.Backend.MapsUsers() && !p.Users.Namespace {
		out = append(out, item{text: "no user namespace: root inside is root on the host", path: "users.namespace"})
	}
	for _, at := range keys(p.Mounts) {
		for i, id := range p.Mounts[at].IDs {
			text, path := fmt.Sprintf("the host's %s as itself in %s", word(id), word(p.Mounts[at].Host)), schema.Elem(schema.Field("mounts", at)+".ids", i)
			if id == schema.AllIDs {
				text = fmt.Sprintf("every id of the host's as itself in %s, where root inside is root", word(p.Mounts[at].Host))
			}
			out = append(out, item{text: text, path: path})
		}
	}
	return out
}

func machine(p *schema.Profile) (out []item) {
	if p.Backend == "" {
		return nil
	}
	out = append(out, item{text: "backend " + string(p.Backend), path: "backend"})
	if p.MAC != schema.MACRequired {
		out = append(out, item{text: "may run where neither AppArmor nor SELinux confines it", path: "mac"})
	}
	if p.MAC == schema.MACNone {
		out = append(out, item{text: "has no AppArmor profile and no SELinux policy of its own", path: "mac"})
	}
	if !p.Backend.BootsKernel() {
		return out
	}
	if p.Machine.Accel != "require" {
		out = append(out, item{text: "may run without hardware virtualisation", path: "machine.accel"})
	}
	return append(out,
		item{text: "architecture " + cmp.Or(p.Machine.Arch, "of the host"), path: "machine.arch"},
		item{text: "kernel " + cmp.Or(p.Machine.Kernel, "of the host"), path: "machine.kernel"},
		item{text: "modules " + cmp.Or(p.Machine.Modules, "of the kernel"), path: "machine.modules"})
}

// command lists what runs and what it finds; none of it can be ordered.
func command(p *schema.Profile) (out []item) {
	if len(p.Run.Argv) == 0 {
		return nil
	}
	r := &p.Run
	add := func(text, path string) { out = append(out, item{text: text, path: path}) }
	add("argv "+words(r.Argv), "run.argv")
	add("workdir "+r.Workdir, "run.workdir")
	add("user "+r.User, "run.user")
	add("umask "+r.Umask, "run.umask")
	add("restart "+string(r.Restart), "run.restart")
	add("stop "+asJSON(r.Stop), "run.stop")
	if r.Ready != nil {
		add("ready "+asJSON(r.Ready), "run.ready")
	}
	for i, s := range r.Prepare {
		add(fmt.Sprintf("prepare %d %s", i+1, asJSON(s)), schema.Elem("run.prepare", i))
	}
	if r.Reload != nil {
		add("reload "+asJSON(r.Reload), "run.reload")
	}
	if r.Health != nil {
		add("health "+asJSON(r.Health), "run.health")
	}
	for _, name := range keys(r.Env) {
		add(fmt.Sprintf("env %s=%q", name, r.Env[name]), schema.Field("run.env", name))
	}
	if p.Hostname != p.Name {
		add("hostname "+p.Hostname, "hostname")
	}
	if p.Every != "" {
		add("runs by the schedule "+p.Every, "every")
	}
	for i, name := range p.After {
		add("starts after "+name, schema.Elem("after", i))
	}
	return out
}

// files lists what stands inside without being the host's, or at another path
// than on the host.
func files(p *schema.Profile) (out []item) {
	for _, at := range keys(p.Mounts) {
		m := p.Mounts[at]
		path := schema.Field("mounts", at)
		switch {
		case m.Host != "":
			out = append(out, item{text: fmt.Sprintf("%s is the host's %s%s", word(at), word(m.Host), made(m)), path: path})
		case m.File != nil:
			text := fmt.Sprintf("%s is a file (sha256 %.12x, %s)", word(at), sha256.Sum256([]byte(*m.File)), modeAndOwner(m))
			out = append(out, item{text: text, path: path, detail: *m.File})
		case m.Tmpfs != 0:
			out = append(out, item{text: fmt.Sprintf("%s is a tmpfs (%s)", word(at), modeAndOwner(m)), path: path})
		case m.Socket != nil: // with whom, its own dimension says
			out = append(out, item{text: fmt.Sprintf("%s is a socket%s", word(at), made(m)), path: path})
		case m.Image == "" && m.Figures == "": // which are devices
			out = append(out, item{text: word(at) + " is " + asJSON(m), path: path})
		}
	}
	return out
}

// modeAndOwner are those of what a mount makes. An owner that is not written follows
// from the run's user.
func modeAndOwner(m schema.Mount) string {
	text := "mode " + m.Mode
	if m.Owner != "" {
		text += ", owner " + m.Owner
	}
	return text
}

// made is what a writable folder of the host, or a socket's, is made as, where a version says so.
func made(m schema.Mount) string {
	if m.Mode == "" && m.Owner == "" {
		return ""
	}
	m.Mode = cmp.Or(m.Mode, "0755")
	return " (made with " + modeAndOwner(m) + ")"
}

// amounts compares what has an order: more is wider, and no bound the widest.
func (c *comparer) amounts() {
	o, n := &c.old.Resources, &c.new.Resources
	c.bound("memory", float64(o.Memory), float64(n.Memory), o.Memory, n.Memory)
	c.bound("cpus", o.CPUs, n.CPUs, o.CPUs, n.CPUs)
	c.bound("pids", float64(o.Pids), float64(n.Pids), o.Pids, n.Pids)
	c.weight("cpuWeight", cmp.Or(o.CPUWeight, usualWeight), cmp.Or(n.CPUWeight, usualWeight))
	c.weight("ioWeight", cmp.Or(o.IOWeight, usualWeight), cmp.Or(n.IOWeight, usualWeight))
	c.ulimits()
	for _, at := range keys(c.old.Mounts, c.new.Mounts) {
		c.volume(at, c.old.Mounts[at], c.new.Mounts[at])
		was, is := c.old.Mounts[at].Tmpfs, c.new.Mounts[at].Tmpfs
		if was != is {
			c.amount("tmpfs "+word(at), is > was, shown(was, was == 0), shown(is, is == 0), schema.Field("mounts", at)+".tmpfs")
		}
	}
}

// ulimits compares the limits of processes: a higher one is wider. What holds where none
// is named is libvirt's or the kernel's matter, so that one which comes or goes may be
// wider, too.
func (c *comparer) ulimits() {
	for _, name := range keys(c.old.Resources.Ulimits, c.new.Resources.Ulimits) {
		was, had := c.old.Resources.Ulimits[name]
		is, has := c.new.Resources.Ulimits[name]
		if had && has && was == is {
			continue
		}
		wider := is.Hard > was.Hard || is.Hard == was.Hard && is.Soft > was.Soft || !had || !has
		c.amount("ulimit "+name, wider && !c.report.Gone, shown(was, !had), shown(is, !has), schema.Field("resources.ulimits", name))
	}
}

// volume compares how much may be written to the host at a path inside. What is written
// there in one version alone is shown by its path.
func (c *comparer) volume(at string, was, is schema.Mount) {
	if was.Size != is.Size && was.Host != "" && was.Writable && is.Host != "" && is.Writable {
		c.amount("space of "+word(at), is.Size == 0 || was.Size != 0 && is.Size > was.Size, unbounded(was.Size), unbounded(is.Size), schema.Field("mounts", at)+".size")
	}
}

func unbounded(size schema.Size) string {
	if size == 0 {
		return "unbounded"
	}
	return fmt.Sprint(size)
}

// bound compares how much there may be of something. A profile that is not there
// consumes nothing.
func (c *comparer) bound(name string, old, new float64, was, is any) {
	wider := new == 0 || old != 0 && new > old
	if c.report.New || c.report.Gone {
		wider = c.report.New
	} else if old == new {
		return
	}
	c.amount(name, wider, shown(was, c.report.New), shown(is, c.report.Gone), "resources."+name)
}

// usualWeight is the kernel's default.
const usualWeight = 100

func (c *comparer) weight(name string, old, new int) {
	if old != new {
		c.amount(name, new > old, fmt.Sprint(old), fmt.Sprint(new), "resources."+name)
	}
}

func (c *comparer) amount(name string, wider bool, was, is, path string) {
	c.add(Resources, wider, fmt.Sprintf("%s %s, was %s", name, is, was), "", path)
}

// shown is an amount in words.
func shown(value any, none bool) string {
	if none {
		return "none"
	}
	return fmt.Sprint(value)
}

// words writes argv so that its parts can be told apart.
func words(argv []string) string {
	out := make([]string, len(argv))
	for i, a := range argv {
		out[i] = word(a)
	}
	return strings.Join(out, " ")
}

// word writes one word so that it is seen where it ends.
func word(s string) string {
	if s == "" || strings.ContainsAny(s, " \t\n\"'\\$(),") {
		return fmt.Sprintf("%q", s)
	}
	return s
}

func asJSON(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain structs of strings and numbers
	}
	return string(data)
}

// keys are those of all the maps, sorted.
func keys[V any](of ...map[string]V) []string {
	var out []string
	for _, m := range of {
		out = slices.AppendSeq(out, maps.Keys(m))
	}
	slices.Sort(out)
	return slices.Compact(out)
}
