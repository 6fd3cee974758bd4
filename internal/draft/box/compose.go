package box

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/internal/draft/amounts"
	"github.com/sbx-dev/sbx/internal/draft/box/compose"
	"github.com/sbx-dev/sbx/internal/draft/hostfile"
	"github.com/sbx-dev/sbx/internal/draft/known"
	"github.com/sbx-dev/sbx/internal/draft/profile"
	"github.com/sbx-dev/sbx/internal/pattern"
)

// maxFile is how long a file of an engine's may be, in bytes.
const maxFile = 256 << 10

// FromCompose drafts a profile of each service of a compose file, or of the one that
// has the wanted name.
func FromCompose(host fs.FS, name string, o profile.Origin) ([]*profile.Draft, error) {
	data, err := hostfile.Read(host, strings.TrimPrefix(name, "/"), maxFile)
	if err != nil {
		return nil, hostfile.Named(name, err)
	}
	f, err := compose.Read(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if f.Project == "" {
		f.Project = path.Base(path.Dir(name))
	}
	var all []*profile.Draft
	var names []string
	for _, s := range f.Services {
		names = append(names, s.Name)
		if o.Name != "" && o.Name != profile.Name(s.Name) {
			continue
		}
		b := &box{Origin: o, host: host, file: name, project: f.Project, shared: len(f.Services) > 1}
		b.compose(s)
		d, err := b.draft()
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, s.Line, err)
		}
		all = append(all, d)
	}
	switch {
	case len(names) == 0:
		return nil, fmt.Errorf("%s has no services", name)
	case len(all) == 0:
		return nil, fmt.Errorf("%s has no service %s; it has %s", name, o.Name, strings.Join(names, ", "))
	}
	return all, nil
}

// compose reads one of a compose file's services.
func (b *box) compose(service compose.Service) {
	b.Name = profile.Name(service.Name)
	var entrypoint, command []string
	for _, s := range service.Settings {
		where := fmt.Sprintf("line %d", s.Line)
		for i := range s.Values {
			s.Values[i] = b.interpolated(s.Values[i], where)
		}
		why := s.Key + ", " + where
		switch s.Key {
		case "command":
			command, b.argvWhy = composeCommand(s), why
		case "entrypoint":
			entrypoint, b.argvWhy = composeCommand(s), why
		default:
			if !b.composeSetting(s, strings.Join(s.Values, " "), why) {
				b.leave(where, s.Key, strings.Join(s.Values, " "))
			}
		}
	}
	b.argv = append(entrypoint, command...)
}

// composeSetting reads a setting, whose values are also given as one text, and says
// whether the profile says it.
func (b *box) composeSetting(s compose.Setting, text, why string) bool {
	switch s.Key {
	case "image", "build":
		b.image = text
	case "environment":
		b.addEnvironment(s.Values)
	case "working_dir":
		b.workdir = text
	case "user":
		b.user = text
	case "hostname":
		b.hostname = text
	case "container_name", "init", "read_only", "cap_drop", "tty", "stdin_open":
		return true // all of that is so, or is nothing here
	case "restart":
		return b.setRestart(text)
	case "stop_signal":
		b.signal = text
	case "stop_grace_period":
		b.timeout = amounts.EngineSpan(text)
		return b.timeout != ""
	case "ports", "expose":
		for _, v := range s.Values {
			b.addPort(v, why)
		}
	case "volumes":
		for _, v := range s.Values {
			b.addVolume(v, why)
		}
	case "tmpfs":
		for _, v := range s.Values {
			at, _, _ := strings.Cut(v, ":")
			b.addMount(mount{inside: at, size: "64MiB", why: why})
		}
	case "cap_add":
		for _, v := range s.Values {
			b.addCapability(v)
		}
	case "devices":
		for _, v := range s.Values {
			b.addDevice(v)
		}
	case "depends_on":
		for _, v := range s.Values {
			b.after = append(b.after, profile.Name(v))
		}
		b.notes = why
	case "shm_size":
		return b.setShm(text, why)
	case "sysctls":
		for _, v := range s.Values {
			b.addSysctl(v)
		}
	case "env_file":
		b.envFiles = s.Values
		return len(s.Values) > 0
	case "mem_limit", "deploy.resources.limits.memory":
		b.memory = amounts.EngineSize(text)
		return b.memory != ""
	case "cpus", "deploy.resources.limits.cpus":
		b.cpus = text
		return amounts.Number(text) > 0
	case "pids_limit", "deploy.resources.limits.pids":
		b.pids = text
		return amounts.Number(text) >= 1
	case "healthcheck.test":
		return b.composeHealth(s)
	case "healthcheck.interval":
		b.healthEvery = amounts.EngineSpan(text)
		return b.healthEvery != ""
	case "healthcheck.retries":
		b.healthFailures = text
		return amounts.Number(text) >= 1
	default:
		name, ok := strings.CutPrefix(s.Key, "ulimits.")
		return ok && b.addUlimit(name, composeLimit(s))
	}
	return true
}

// composeLimit is a limit as systemd writes it.
func composeLimit(s compose.Setting) string {
	if s.Scalar {
		return s.Values[0]
	}
	two := map[string]string{}
	for _, v := range s.Values {
		name, value, _ := strings.Cut(v, "=")
		two[name] = value
	}
	return two["soft"] + ":" + two["hard"]
}

// composeCommand is a list, or a line of which words are made.
func composeCommand(s compose.Setting) []string {
	if s.Scalar {
		return commandWords(s.Values[0])
	}
	return s.Values
}

// composeHealth reads a command, as it is or for a shell.
func (b *box) composeHealth(s compose.Setting) bool {
	switch {
	case s.Scalar:
		b.health = []string{"/bin/sh", "-c", s.Values[0]}
	case len(s.Values) == 2 && s.Values[0] == "CMD-SHELL":
		b.health = []string{"/bin/sh", "-c", s.Values[1]}
	case len(s.Values) > 1 && s.Values[0] == "CMD":
		b.health = append([]string{"/usr/bin/env", "--"}, s.Values[1:]...) // it need be no path
	default:
		return false
	}
	return true
}

func (b *box) addEnvironment(words []string) {
	for _, w := range words {
		name, value, ok := strings.Cut(w, "=")
		if !ok {
			b.edit("run.env: %s comes from the caller's environment, and nothing of that is passed on: give it a value", name)
			continue
		}
		if !slices.ContainsFunc(b.env, func(v known.Reasoned) bool { return v.Name == name }) {
			b.env = append(b.env, known.Reasoned{Name: name, Why: value})
		}
	}
}

// variable is one of the caller's environment, as compose has them.
var variable = pattern.Of(`\$(?:\$|\{([A-Za-z_][A-Za-z0-9_]*)(?::?-([^}]*))?\}|([A-Za-z_][A-Za-z0-9_]*))`)

// interpolated puts a variable's default in its place; each is told of.
func (b *box) interpolated(text, where string) string {
	return variable().ReplaceAllStringFunc(text, func(found string) string {
		if found == "$$" {
			return "$"
		}
		m := variable().FindStringSubmatch(found)
		b.edit("%s: %s is a variable of the caller's, and here it is %q", where, m[1]+m[3], m[2])
		return m[2]
	})
}
