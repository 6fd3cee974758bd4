package review

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/schema"
)

// item is something that a version has or has not, in words, and its place.
type item struct{ text, path string }

// set compares two lists of items as sets.
func (c *comparer) set(d Dimension, old, new []item) {
	c.missing(d, true, new, old)
	c.missing(d, false, old, new)
}

// missing reports the items of one list that the other has not.
func (c *comparer) missing(d Dimension, added bool, of, from []item) {
	for _, i := range of {
		if !slices.ContainsFunc(from, func(j item) bool { return i.text == j.text }) {
			c.add(d, added, i.text, "", i.path)
		}
	}
}

// items compares what has no order, only presence.
func (c *comparer) items() {
	for _, compare := range []struct {
		d    Dimension
		list func(*schema.Profile) []item
	}{{Secrets, secrets}, {Devices, devices}, {Capabilities, capabilities}, {Users, users}, {Machine, machine}, {Command, command}, {Files, files}} {
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
		out = append(out, item{fmt.Sprintf("%s from %s", name, from), schema.Field("secrets", name)})
	}
	return out
}

func devices(p *schema.Profile) (out []item) {
	for _, at := range keys(p.Mounts) {
		m := p.Mounts[at]
		if m.Image == "" {
			continue
		}
		text := fmt.Sprintf("disk %s (%s) at %s", m.Image, m.Format, at)
		if m.Writable {
			text += ", writable"
		}
		out = append(out, item{text, schema.Field("mounts", at)})
	}
	return out
}

func capabilities(p *schema.Profile) (out []item) {
	for i, name := range p.Capabilities {
		out = append(out, item{name, schema.Elem("capabilities", i)})
	}
	for i, name := range p.Run.Capabilities {
		out = append(out, item{fmt.Sprintf("%s of the user %s", name, p.Run.User), schema.Elem("run.capabilities", i)})
	}
	return out
}

// users lists what root inside is on the host. Being root there is more than
// any range of ids.
func users(p *schema.Profile) (out []item) {
	switch {
	case p.Backend == schema.KVM:
	case !p.Users.Namespace:
		out = append(out, item{"no user namespace: root inside is root on the host", "users.namespace"})
	case p.Users.Base != 0:
		out = append(out, item{fmt.Sprintf("the host's ids from %d", p.Users.Base), "users.base"})
	}
	return out
}

func machine(p *schema.Profile) (out []item) {
	if p.Backend == "" {
		return nil
	}
	out = append(out, item{"backend " + string(p.Backend), "backend"})
	if p.Backend != schema.KVM {
		return out
	}
	if p.Machine.Accel != "require" {
		out = append(out, item{"may run without hardware virtualisation", "machine.accel"})
	}
	if p.Machine.Kernel != "" {
		out = append(out, item{"kernel " + p.Machine.Kernel, "machine.kernel"})
	}
	if p.Machine.Modules != "" {
		out = append(out, item{"modules " + p.Machine.Modules, "machine.modules"})
	}
	return out
}

// command lists what runs and what it finds; none of it can be ordered.
func command(p *schema.Profile) (out []item) {
	if len(p.Run.Argv) == 0 {
		return nil
	}
	r := &p.Run
	out = []item{
		{"argv " + words(r.Argv), "run.argv"},
		{"workdir " + r.Workdir, "run.workdir"},
		{"user " + r.User, "run.user"},
		{"umask " + r.Umask, "run.umask"},
		{"restart " + string(r.Restart), "run.restart"},
		{"stop " + asJSON(r.Stop), "run.stop"},
	}
	if r.Ready != nil {
		out = append(out, item{"ready " + asJSON(r.Ready), "run.ready"})
	}
	if r.Health != nil {
		out = append(out, item{"health " + asJSON(r.Health), "run.health"})
	}
	for _, name := range keys(r.Env) {
		out = append(out, item{fmt.Sprintf("env %s=%q", name, r.Env[name]), schema.Field("run.env", name)})
	}
	if p.Hostname != p.Name {
		out = append(out, item{"hostname " + p.Hostname, "hostname"})
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
			out = append(out, item{fmt.Sprintf("%s is the host's %s", at, m.Host), path})
		case m.File != nil:
			out = append(out, item{fmt.Sprintf("%s is a file (sha256 %.12x, mode %s)", at, sha256.Sum256([]byte(*m.File)), m.Mode), path})
		case m.Tmpfs != 0:
			out = append(out, item{fmt.Sprintf("%s is a tmpfs (mode %s)", at, m.Mode), path})
		}
	}
	return out
}

// amounts compares what has an order: more is wider, and no bound the widest.
func (c *comparer) amounts() {
	o, n := &c.old.Resources, &c.new.Resources
	c.more("memory", float64(o.Memory), float64(n.Memory), o.Memory, n.Memory)
	c.more("cpus", o.CPUs, n.CPUs, o.CPUs, n.CPUs)
	c.more("pids", float64(o.Pids), float64(n.Pids), o.Pids, n.Pids)
	c.more("cpuWeight", weight(o.CPUWeight), weight(n.CPUWeight), o.CPUWeight, n.CPUWeight)
	c.more("ioWeight", weight(o.IOWeight), weight(n.IOWeight), o.IOWeight, n.IOWeight)
	for _, at := range keys(c.new.Mounts) {
		before, after := c.old.Mounts[at], c.new.Mounts[at]
		if before.Tmpfs != 0 && after.Tmpfs != 0 && before.Tmpfs != after.Tmpfs {
			c.add(Resources, after.Tmpfs > before.Tmpfs, fmt.Sprintf("tmpfs %s %v, was %v", at, after.Tmpfs, before.Tmpfs), "", schema.Field("mounts", at)+".tmpfs")
		}
	}
}

// weight is a weight, of which the kernel's default is 100.
func weight(w int) float64 {
	if w == 0 {
		return 100
	}
	return float64(w)
}

func (c *comparer) more(name string, old, new float64, was, is any) {
	if old == new {
		return
	}
	wider := new == 0 || old != 0 && new > old
	c.add(Resources, wider, fmt.Sprintf("%s %v, was %v", name, is, was), "", "resources."+name)
}

// words writes argv so that its parts can be told apart.
func words(argv []string) string {
	out := make([]string, len(argv))
	for i, a := range argv {
		if out[i] = a; a == "" || strings.ContainsAny(a, " \t\n\"'\\$") {
			out[i] = fmt.Sprintf("%q", a)
		}
	}
	return strings.Join(out, " ")
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
