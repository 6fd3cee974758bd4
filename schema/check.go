package schema

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sbx-dev/sbx/internal/schedule"
	"github.com/sbx-dev/sbx/schema/diag"
)

// checker holds a decoded profile against what CUE cannot say with one clear
// error: how values stand to each other. A value that is missing because the
// schema has refused it is passed over.
type checker struct {
	*Profile
	list diag.List
}

// Check lists what is wrong between the values of a profile, each of which CUE
// has taken; its Source says where they stand.
func (p *Profile) Check() diag.List {
	c := &checker{Profile: p}
	c.name()
	c.run()
	c.users()
	c.files()
	c.display()
	c.devices()
	c.machine()
	c.after()
	c.every()
	c.networks()
	c.twice("capabilities", p.Capabilities)
	c.syscalls()
	c.ulimits()
	return c.list
}

// fail reports the value at path.
func (c *checker) fail(code, path, help, format string, args ...any) *diag.Diagnostic {
	d := &diag.Diagnostic{Pos: c.Source.Pos(path), Severity: diag.Error, Code: code, Path: path, Message: fmt.Sprintf(format, args...), Help: help}
	c.list = append(c.list, d)
	return d
}

// note points at another value that has to do with a diagnostic.
func (c *checker) note(d *diag.Diagnostic, path, message string) {
	d.Notes = append(d.Notes, diag.Note{Pos: c.Source.Pos(path), Message: message})
}

// twice reports words of a list that stand there before.
func (c *checker) twice(path string, words []string) {
	first := make(map[string]int)
	for i, w := range words {
		if w == "" {
			continue
		}
		if j, ok := first[w]; ok {
			c.note(c.fail(diag.Twice, Elem(path, i), "remove one of them", "%q stands here twice", diag.Short(w)), Elem(path, j), "the first time")
			continue
		}
		first[w] = i
	}
}

// name refuses the one name under which libvirt starts no container: it keeps the process of
// each in NAME.pid, beside the driver.pid that its own daemon has locked (libvirt 9.0; its
// machines and networks can be called so).
func (c *checker) name() {
	if c.Name != "" && c.Name == c.Backend.ask().taken {
		c.fail(diag.BadName, "name", `give it another one, as in "the-driver"`, "%s cannot be called %q: libvirt has a file of that name for itself", c.Backend.ask().whatItIs, c.Name)
	}
}

// run checks what the command starts with.
func (c *checker) run() {
	if r := c.Run.Ready; r != nil {
		c.duration("run.ready.timeout", r.Timeout)
	}
	c.duration("run.stop.timeout", c.Run.Stop.Timeout)
	for i, s := range c.Run.Prepare {
		c.duration(Elem("run.prepare", i)+".timeout", s.Timeout)
		if s.User != "" {
			c.idsInside(Elem("run.prepare", i)+".user", s.User)
		}
	}
	if r := c.Run.Reload; r != nil {
		c.duration("run.reload.timeout", r.Timeout)
	}
	c.runCapabilities()
	c.idsInside("run.user", c.Run.User)
}

// after checks that a sandbox names others, each once.
func (c *checker) after() {
	c.twice("after", c.After)
	for i, name := range c.After {
		if name != "" && name == c.Name {
			c.fail(diag.Circle, Elem("after", i), "remove it", "%s cannot start after itself", name)
		}
	}
}

// every checks when a job runs, and that it is one: what ends.
func (c *checker) every() {
	if c.Every == "" {
		return
	}
	if _, err := schedule.Parse(c.Every); err != nil {
		c.fail(diag.Schedule, "every", `systemd-analyze calendar "Mon..Fri 06:30" shows when that is`, "%q is no schedule: %v", c.Every, err)
	}
	refuse := func(is bool, path, why string) {
		if is {
			c.note(c.fail(diag.Schedule, path, "remove one of them", "%s", why), "every", "its schedule is here")
		}
	}
	refuse(c.Run.Ready != nil, "run.ready", "a job is done when it ends, and never ready")
	refuse(c.Run.Health != nil, "run.health", "a job is done when it ends, and never healthy")
	refuse(c.Run.Restart == RestartAlways, "run.restart", "a job that is always started again does not end")
	const publishes = "a job is not there between its runs, and publishes no port"
	refuse(c.Network != nil && len(c.Network.Publish) > 0, "network.publish", publishes)
	for _, key := range sorted(c.Networks) {
		refuse(len(c.Networks[key].Publish) > 0, Field(Field("networks", key), "publish"), publishes)
	}
}

// runCapabilities checks what a user other than root is to hold: it is among what
// root holds, so that one list is all that anything inside can ever have.
func (c *checker) runCapabilities() {
	const at = "run.capabilities"
	list := c.Run.Capabilities
	c.twice(at, list)
	if len(list) > 0 && c.Run.Root() {
		c.note(c.fail(diag.RunCapabilities, at, "remove it, or name the user that is to hold them", "root holds all of capabilities already"),
			"run.user", "the user is root")
		return
	}
	for i, name := range list {
		if name != "" && !slices.Contains(c.Capabilities, name) {
			c.fail(diag.RunCapabilities, Elem(at, i), fmt.Sprintf("add %q to the profile's capabilities", name),
				"%q is not among the profile's capabilities, which are all that anything inside may hold", name)
		}
	}
}

func (c *checker) duration(path string, d Duration) {
	switch {
	case d <= 0:
		c.fail(diag.BadDuration, path, "want more than nothing", "it leaves no time at all")
	case time.Duration(d) > 24*time.Hour:
		c.fail(diag.BadDuration, path, "want a day at most", "%v is too long", time.Duration(d))
	}
}

// users checks the mapping of user ids, which only containers have.
func (c *checker) users() {
	if c.Backend.known() && !c.Backend.MapsUsers() && (!c.Users.Namespace || c.Users.Base != 0) {
		c.fail(diag.OtherBackend, "users", "a machine has user ids of its own by nature; leave users out", "%s", onlyFor("users is", func(t traits) bool { return t.maps }))
		return
	}
	if !c.Users.Namespace && c.Users.Base != 0 {
		d := c.fail(diag.OtherBackend, "users.base", "leave base out, or leave namespace on", "there is no base without a user namespace")
		c.note(d, "users.namespace", "it is turned off here")
	}
}

// machine checks what only machines have, and the least that a sandbox needs.
func (c *checker) machine() {
	kind := c.Backend.ask()
	switch {
	case !c.Backend.known(): // which CUE has refused
	case !kind.kernel && c.Machine != Defaults().Machine:
		c.fail(diag.OtherBackend, "machine", "leave machine out: a container runs on the host's kernel", "%s", onlyFor("machine is", func(t traits) bool { return t.kernel }))
	case c.Resources.Memory < kind.memory:
		c.fail(diag.BadSize, "resources.memory", fmt.Sprintf(`want "%v" at least`, kind.memory), "%v is too little memory for %s to start", c.Resources.Memory, kind.whatItIs)
	}
}

// sorted are the keys of a map, in order.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
