package schema

import (
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/internal/within"
	"github.com/sbx-dev/sbx/schema/diag"
)

// files checks what stands where inside.
func (c *checker) files() {
	c.exposed()
	for _, at := range sorted(c.Mounts) {
		c.mount(at, c.Mounts[at])
	}
	c.pathLengths("run.workdir", c.Run.Workdir)
	c.pathLengths("machine.kernel", c.Machine.Kernel)
	c.pathLengths("machine.modules", c.Machine.Modules)
}

// reserved are the paths that sbx, libvirt and the kernel own inside. The host's
// folders of the same names are the kernel's control surface.
var reserved = []string{"/proc", "/sys", "/dev", "/.sbx", "/.oldroot"}

// shared is the one place in a reserved folder where a profile may mount memory.
const shared = "/dev/shm"

// reservedBy is the reserved path that path is or stands below; "" for none.
func reservedBy(path string) string {
	i := slices.IndexFunc(reserved, func(r string) bool { return within.Dir(path, r) })
	if i < 0 {
		return ""
	}
	return reserved[i]
}

// controls are the host's folders by which sandboxes are controlled: sbx's state
// folder, whose files sbx writes as root, and libvirt's sockets, whose read-only
// mounts can be connected to all the same. The runtime looks again, once links have
// been followed.
var controls = []struct{ dir, why string }{
	{"/var/lib/sbx", "sbx's own folder, in which it writes as root"},
	{"/run/libvirt", "where libvirt's sockets are, and whoever reaches those controls the host"},
	{"/var/run/libvirt", "where libvirt's sockets are, and whoever reaches those controls the host"},
}

// controlledBy says why a host path may not be given to a sandbox; "" where it may.
// What holds sbx's folder may be shown, since the sandbox can read nothing there.
func controlledBy(source string, writable bool) string {
	for _, c := range controls {
		holds := within.Dir(c.dir, source) && (writable || c.dir != controls[0].dir)
		switch {
		case source == "":
		case within.Dir(source, c.dir):
			return "it is " + c.why
		case holds:
			return "it holds " + c.dir + ", " + c.why
		}
	}
	return ""
}

func (c *checker) exposed() {
	for i, e := range c.Expose {
		at := Elem("expose", i)
		if e == "" {
			continue
		}
		c.pathLengths(at, e)
		if r := reservedBy(e); r != "" {
			c.fail(diag.Reserved, at, "remove it: the sandbox has its own "+r, "%q cannot be exposed: it belongs to sbx and the kernel", e)
			continue
		}
		if why := controlledBy(e, false); why != "" {
			c.fail(diag.Reserved, at, "expose what is beside it, path by path", "%q cannot be given to a sandbox: %s", e, why)
		}
		for j, other := range c.Expose {
			switch {
			case other == "" || i == j:
			case e == other && j < i:
				c.note(c.fail(diag.Overlap, at, "remove one of them", "%q is exposed twice", e), Elem("expose", j), "the first time")
			case e != other && within.Dir(e, other):
				c.note(c.fail(diag.Overlap, at, "remove it", "%q is exposed already, as a part of %q", e, other), Elem("expose", j), other+" is exposed here")
			}
		}
		c.covered(at, e)
	}
}

// covered reports a mount that stands at an exposed path, or that hides it.
func (c *checker) covered(at, exposed string) {
	for _, m := range sorted(c.Mounts) {
		path, of := Field("mounts", m), c.Mounts[m]
		if of.Socket != nil {
			continue // socketFolder looks
		}
		switch {
		case m == exposed:
			c.note(c.fail(diag.Overlap, path, "keep one of them", "%q is both mounted and exposed", m), at, "it is exposed here")
		case within.Dir(exposed, m) && of.Tmpfs == 0:
			c.note(c.fail(diag.Overlap, path, "mount it elsewhere, or expose something else", "the mount at %q hides %q, which is exposed", m, exposed), at, "it is exposed here")
		}
	}
}

func (c *checker) mount(at string, m Mount) {
	path := Field("mounts", at)
	c.pathLengths(path, at)
	c.pathLengths(Field(path, "host"), m.Host)
	c.pathLengths(Field(path, "image"), m.Image)
	if r := reservedBy(at); r != "" && (at != shared || m.Tmpfs == 0) {
		c.fail(diag.Reserved, path, "mount it elsewhere", "nothing can be mounted at %q: it belongs to sbx and the kernel", at)
	}
	for field, source := range map[string]string{"host": m.Host, "image": m.Image} {
		if r := reservedBy(source); r != "" {
			c.fail(diag.Reserved, Field(path, field), "the sandbox has its own "+r, "the host's %q cannot be given to a sandbox: it is the kernel's control surface", source)
		}
		if why := controlledBy(source, m.Writable); why != "" {
			c.fail(diag.Reserved, Field(path, field), "mount what is beside it, path by path", "the host's %q cannot be given to a sandbox: %s", source, why)
		}
	}
	c.mountFields(at, m)
	for _, outer := range sorted(c.Mounts) {
		if outer == at || !within.Dir(m.At(at), outer) {
			continue
		}
		switch around := c.Mounts[outer]; {
		case around.File != nil:
			d := c.fail(diag.Overlap, path, "mount it elsewhere", "%q stands below %q, which is a file", at, outer)
			c.note(d, Field("mounts", outer), "the file is here")
		case around.Image != "" && !around.Writable:
			d := c.fail(diag.Overlap, path, "mount it elsewhere, or make the image writable", "%q stands in the image at %q, in which nothing can make a place for it: it is read-only", at, outer)
			c.note(d, Field("mounts", outer), "the image is here")
		}
	}
}

// maxStep is the longest name of a file that Linux has (NAME_MAX, limits.h).
const maxStep = 255

func (c *checker) pathLengths(at, path string) {
	for step := range strings.SplitSeq(path, "/") {
		if len(step) > maxStep {
			c.fail(diag.BadPath, at, "Linux has no such files", "%q has %d bytes, and a name between two slashes may have %d", diag.Short(step), len(step), maxStep)
			return
		}
	}
}
