package draft

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"

	"github.com/sbx-dev/sbx/internal/draft/cuetext"
	"github.com/sbx-dev/sbx/internal/draft/known"
	"github.com/sbx-dev/sbx/internal/draft/profile"
)

// write puts the profile together.
func (s *service) write() (*profile.Draft, error) {
	ports := s.ports()
	configuration := s.configuration()
	data := s.data(configuration)
	var p cuetext.Group
	p.Add("name", cuetext.Text(s.Name), "")
	if d, ok := s.unit.Last("Unit", "Description"); ok {
		p.Add("description", cuetext.Text(profile.Printable(d.Value)), "")
	}
	p.Add("backend", cuetext.Text("lxc"), `a container; "kvm" is a machine of its own, and knows no ids`)
	caps, own := s.capabilities(ports)
	if after := s.after(); len(after) > 0 {
		p.Add("after", cuetext.Texts(after), "After of the unit, which wants them: where they are sandboxes, too")
	}
	p.Section("run", s.run(ports, caps, own, data))
	p.Section("expose", s.expose(append(configuration, data...)), "the host's files that are there, read-only")
	p.Section("mounts", s.mounts(configuration, data))
	if network, remarks := s.network(ports); network != nil {
		p.Section("network", network, remarks...)
	}
	if len(caps) > 0 {
		var items []cuetext.Item
		for _, c := range caps {
			items = append(items, cuetext.Item{Value: cuetext.Text(c.Name), Remark: c.Why})
		}
		p.Section("capabilities", cuetext.Lines(items))
	}
	if len(s.known.Syscalls) > 0 {
		var calls cuetext.Group
		calls.Add("allow", cuetext.Texts(s.known.Syscalls), s.known.Why)
		p.Section("syscalls", calls.Expr())
	}
	if r := s.resources(); !r.Empty() {
		p.Section("resources", r.Expr())
	}
	s.edits = append(s.edits, s.known.Edit...)
	source, err := cuetext.File(s.Name, s.header(), &p)
	if err != nil {
		return nil, fmt.Errorf("writing the profile: %w", err)
	}
	return &profile.Draft{Name: s.Name, Source: source, Edits: s.edits}, nil
}

// header is the package's comment: where the profile is from, what is to be decided
// and what of the unit is not in it.
func (s *service) header() []string {
	var packages []string
	for _, p := range s.packages {
		packages = append(packages, p.Name+" "+p.Version)
	}
	lines := []string{fmt.Sprintf("Drafted by sbx init --from %s, of", s.Text)}
	for _, f := range s.unit.Files {
		lines = append(lines, "  "+f)
	}
	if len(packages) > 0 {
		lines = append(lines, wrapped(packages)...)
	}
	if len(s.edits) > 0 {
		lines = append(lines, "", "Edit:")
		for _, e := range s.edits {
			lines = append(lines, "  "+e)
		}
	}
	return append(lines, s.settings()...)
}

func (s *service) run(ports []port, caps []known.Reasoned, own bool, data []place) ast.Expr {
	var r cuetext.Group
	r.Noted("argv", cuetext.Texts(s.argv), s.argvWhy)
	if env := s.environment(); !env.Empty() {
		r.Add("env", env.Expr(), "")
	}
	if v, ok := s.unit.Last("Service", "WorkingDirectory"); ok {
		if at := profile.Path(strings.TrimPrefix(v.Value, "-")); at != "" {
			r.Add("workdir", cuetext.Text(at), "WorkingDirectory of the unit")
			s.done("WorkingDirectory")
		}
	}
	if !s.isRoot() {
		r.Add("user", cuetext.Text(s.user), s.userWhy())
	}
	if own {
		var names []string
		for _, c := range caps {
			names = append(names, c.Name)
		}
		r.Add("capabilities", cuetext.Texts(names), "")
	}
	if v, ok := s.unit.Last("Service", "UMask"); ok {
		r.Add("umask", cuetext.Text(v.Value), "UMask of the unit")
		s.done("UMask")
	}
	if steps := s.prepare(data); steps != nil {
		r.Add("prepare", steps, "")
	}
	s.ready(&r, ports)
	if how, remark := s.reload(); how != nil {
		r.Add("reload", how, remark)
	}
	if value, remark := s.restart(); value != "" {
		r.Add("restart", cuetext.Text(value), remark)
	}
	if signal, timeout := s.stop(); signal != "" || timeout != "" {
		var stop cuetext.Group
		if signal != "" {
			stop.Add("signal", cuetext.Text(signal), "")
		}
		if timeout != "" {
			stop.Add("timeout", cuetext.Text(timeout), "")
		}
		r.Add("stop", stop.Inline(), "how it is asked to end")
	}
	return r.Expr()
}

func (s *service) userWhy() string {
	if s.known.User != "" {
		return s.known.Why
	}
	if s.user == dynamic {
		return "DynamicUser of the unit"
	}
	return "User of the unit"
}

// ready waits until the service says so itself, or else for the first TCP port.
func (s *service) ready(r *cuetext.Group, ports []port) {
	kind, _ := s.unit.Last("Service", "Type")
	own := len(s.known.Argv) > 0 // a command of the table's own may leave out what makes it speak
	notify := !own && (kind.Value == "notify" || kind.Value == "notify-reload")
	i := slices.IndexFunc(ports, func(p port) bool { return p.protocol == "tcp" })
	if !notify && (i < 0 || !s.known.Ready && s.known.Why != "") {
		return
	}
	var ready cuetext.Group
	why := "Type=" + kind.Value + " of the unit: it says itself when it is"
	if notify {
		ready.Add("notify", ast.NewBool(true), "")
	} else {
		ready.Add("tcp", cuetext.Number(ports[i].number), "")
		why = "up waits until it answers there"
	}
	if t := s.atMost("TimeoutStartSec"); t != "" {
		ready.Add("timeout", cuetext.Text(t), "")
	}
	r.Add("ready", ready.Inline(), why)
}

// searchPath is the PATH that systemd gives every service.
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"

func (s *service) environment() *cuetext.Group {
	var env cuetext.Group
	env.Add("PATH", cuetext.Text(searchPath), "systemd's")
	env.Add("LANG", cuetext.Text("C.UTF-8"), "")
	have := []string{"PATH", "LANG"}
	if !s.isRoot() {
		if u, ok := s.accounts.User(s.user); ok {
			env.Add("USER", cuetext.Text(u.Name), "systemd sets it with User=")
			have = append(have, "USER")
		}
	}
	for _, v := range s.env {
		if !slices.Contains(have, v.Name) {
			env.Add(v.Name, cuetext.Text(v.Value), "from "+v.File)
			have = append(have, v.Name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.known.Env)) {
		if !slices.Contains(have, name) {
			env.Add(name, cuetext.Text(s.known.Env[name]), "")
		}
	}
	return &env
}

// mounts is what has a line of its own: what is kept on the host, what needs ids, what
// is in memory.
func (s *service) mounts(configuration, data []place) ast.Expr {
	var all cuetext.Group
	for _, p := range append(configuration, data...) {
		if len(p.ids) == 0 && !p.writable {
			continue
		}
		var m cuetext.Group
		m.Add("host", cuetext.Text(p.path), "")
		if p.writable {
			m.Add("writable", ast.NewBool(true), "")
		}
		if len(p.ids) > 0 {
			m.Add("ids", cuetext.Texts(p.ids), "")
		}
		if p.mode != "" {
			m.Add("mode", cuetext.Text(p.mode), "")
		}
		all.Noted(p.path, m.Inline(), p.why)
	}
	for _, f := range s.known.Files {
		var m cuetext.Group
		m.Add("file", cuetext.Text(f.Content), "")
		all.Noted(f.Name, m.Inline(), f.Why)
	}
	for _, c := range s.scratch() {
		if c.size == "" {
			c.size = "16MiB"
		}
		var m cuetext.Group
		m.Add("tmpfs", cuetext.Text(c.size), "")
		if c.mode != "" {
			m.Add("mode", cuetext.Text(c.mode), "")
		}
		if c.owner != "" && c.owner != s.user && c.owner != "root" {
			m.Add("owner", cuetext.Text(c.owner), "")
		}
		all.Add(c.path, m.Inline(), c.why)
	}
	return all.Expr()
}
