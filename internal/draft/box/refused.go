package box

import (
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/internal/draft/known"
	"github.com/sbx-dev/sbx/internal/draft/profile"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// leaveOut takes out what was refused of the profile that was written, and tells of
// each. It says whether there was anything that can be left out.
func (b *box) leaveOut(refused error) bool {
	list, _ := diag.From(refused)
	edits := len(b.edits)
	for _, d := range list {
		if b.takeOut(d.Path) {
			b.edit("%s is left out: %s", profile.Printable(d.Path), profile.Printable(d.Message))
		}
	}
	none := func(s string) bool { return s == "" }
	b.capabilities, b.after, b.devices = slices.DeleteFunc(b.capabilities, none), slices.DeleteFunc(b.after, none), slices.DeleteFunc(b.devices, none)
	unnamed := func(v known.Reasoned) bool { return v.Name == "" }
	b.env, b.sysctls = slices.DeleteFunc(b.env, unnamed), slices.DeleteFunc(b.sysctls, unnamed)
	b.mounts = slices.DeleteFunc(b.mounts, func(m mount) bool { return m.inside == "" })
	return len(b.edits) > edits
}

// takeOut empties what stands at a path of the profile, and says whether something did
// that it may do without.
func (b *box) takeOut(path string) bool {
	one := map[string]*string{
		"description": &b.description, "hostname": &b.hostname,
		"run.user": &b.user, "run.workdir": &b.workdir,
		"run.stop.signal": &b.signal, "run.stop.timeout": &b.timeout,
		"run.health.every": &b.healthEvery, "run.health.failures": &b.healthFailures,
		"resources.memory": &b.memory, "resources.cpus": &b.cpus, "resources.pids": &b.pids,
	}[path]
	for at, list := range map[string][]string{"capabilities": b.capabilities, "run.capabilities": b.capabilities, "after": b.after, "devices": b.devices} {
		for i := range list {
			if path == schema.Elem(at, i) {
				one = &list[i]
			}
		}
	}
	for i := range b.env {
		if path == schema.Field("run.env", b.env[i].Name) {
			one = &b.env[i].Name
		}
	}
	for i := range b.sysctls {
		if path == schema.Field("sysctls", b.sysctls[i].Name) {
			one = &b.sysctls[i].Name
		}
	}
	for i := range b.mounts {
		at := schema.Field("mounts", b.mounts[i].inside)
		if path == at || strings.HasPrefix(path, at+".") {
			one = &b.mounts[i].inside
		}
	}
	if one == nil || *one == "" {
		return false // or it has been told of
	}
	*one = ""
	return true
}
