package draft

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"
)

// write puts the profile together.
func (s *service) write() (*Draft, error) {
	ports := s.ports()
	configuration := s.configuration()
	data := s.data(configuration)
	var p group
	p.add("name", text(s.name), "")
	if d, ok := s.unit.Last("Unit", "Description"); ok {
		p.add("description", text(printable(d.Value)), "")
	}
	p.add("backend", text("lxc"), `a container; "kvm" is a machine of its own, and knows no ids`)
	caps, own := s.capabilities(ports)
	p.section("run", s.run(ports, caps, own))
	p.section("expose", s.expose(append(configuration, readOnly(data)...)), "the host's files that are there, read-only")
	p.section("mounts", s.mounts(configuration, data))
	if network, remarks := s.network(ports); network != nil {
		p.section("network", network, remarks...)
	}
	if len(caps) > 0 {
		var items []item
		for _, c := range caps {
			items = append(items, item{text(c.Name), c.Why})
		}
		p.section("capabilities", lines(items))
	}
	if len(s.known.Syscalls) > 0 {
		var calls group
		calls.add("allow", texts(s.known.Syscalls), s.known.Why)
		p.section("syscalls", calls.expr())
	}
	if r := s.resources(); !r.empty() {
		p.section("resources", r.expr())
	}
	s.edits = append(s.edits, s.known.Edit...)
	source, err := file(s.name, s.header(), &p)
	if err != nil {
		return nil, fmt.Errorf("writing the profile: %w", err)
	}
	return &Draft{s.name, source, s.edits}, nil
}

// header is the package's comment: where the profile is from, what is to be decided
// and what of the unit is not in it.
func (s *service) header() []string {
	var packages []string
	for _, p := range s.packages {
		packages = append(packages, p.Name+" "+p.Version)
	}
	lines := []string{fmt.Sprintf("Drafted by sbx init --from %s, of", s.text)}
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

func (s *service) run(ports []port, caps []reasoned, own bool) ast.Expr {
	var r group
	r.noted("argv", texts(s.argv), s.argvWhy)
	if env := s.environment(); !env.empty() {
		r.add("env", env.expr(), "")
	}
	if v, ok := s.unit.Last("Service", "WorkingDirectory"); ok {
		if at := clean(strings.TrimPrefix(v.Value, "-")); at != "" {
			r.add("workdir", text(at), "WorkingDirectory of the unit")
			s.done("WorkingDirectory")
		}
	}
	if !s.isRoot() {
		r.add("user", text(s.user), s.userWhy())
	}
	if own {
		var names []string
		for _, c := range caps {
			names = append(names, c.Name)
		}
		r.add("capabilities", texts(names), "")
	}
	if v, ok := s.unit.Last("Service", "UMask"); ok {
		r.add("umask", text(v.Value), "UMask of the unit")
		s.done("UMask")
	}
	s.ready(&r, ports)
	if value, remark := s.restart(); value != "" {
		r.add("restart", text(value), remark)
	}
	if signal, timeout := s.stop(); signal != "" || timeout != "" {
		var stop group
		if signal != "" {
			stop.add("signal", text(signal), "")
		}
		if timeout != "" {
			stop.add("timeout", text(timeout), "")
		}
		r.add("stop", stop.inline(), "how it is asked to end")
	}
	return r.expr()
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
func (s *service) ready(r *group, ports []port) {
	kind, _ := s.unit.Last("Service", "Type")
	own := len(s.known.Argv) > 0 // a command of the table's own may leave out what makes it speak
	notify := !own && (kind.Value == "notify" || kind.Value == "notify-reload")
	i := slices.IndexFunc(ports, func(p port) bool { return p.protocol == "tcp" })
	v, ok := s.unit.Last("Service", "TimeoutStartSec")
	if !notify && (i < 0 || !s.known.Ready && s.known.Why != "") {
		return
	}
	var ready group
	why := "Type=" + kind.Value + " of the unit: it says itself when it is"
	if notify {
		ready.add("notify", ast.NewBool(true), "")
	} else {
		ready.add("tcp", number(ports[i].number), "")
		why = "up waits until it answers there"
	}
	if ok && span(v.Value) != "" {
		ready.add("timeout", text(span(v.Value)), "")
		s.done("TimeoutStartSec")
	}
	r.add("ready", ready.inline(), why)
}

// searchPath is the PATH that systemd gives every service.
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"

func (s *service) environment() *group {
	var env group
	env.add("PATH", text(searchPath), "systemd's")
	env.add("LANG", text("C.UTF-8"), "")
	have := []string{"PATH", "LANG"}
	if !s.isRoot() {
		if u, ok := s.accounts.User(s.user); ok {
			env.add("USER", text(u.Name), "systemd sets it with User=")
			have = append(have, "USER")
		}
	}
	for _, v := range s.env {
		if !slices.Contains(have, v.Name) {
			env.add(v.Name, text(v.Value), "from "+v.File)
			have = append(have, v.Name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.known.Env)) {
		if !slices.Contains(have, name) {
			env.add(name, text(s.known.Env[name]), "")
		}
	}
	return &env
}

// readOnly are the places that are only read.
func readOnly(data []place) (all []place) {
	for _, p := range data {
		if !p.writable {
			all = append(all, p)
		}
	}
	return all
}

// mounts is what has a line of its own: what is kept on the host, what needs ids, what
// is in memory.
func (s *service) mounts(configuration, data []place) ast.Expr {
	var all group
	for _, p := range append(configuration, data...) {
		if len(p.ids) == 0 && !p.writable {
			continue
		}
		var m group
		m.add("host", text(p.path), "")
		if p.writable {
			m.add("writable", ast.NewBool(true), "")
		}
		if len(p.ids) > 0 {
			m.add("ids", texts(p.ids), "")
		}
		all.noted(p.path, m.inline(), p.why)
	}
	for _, f := range s.known.Files {
		var m group
		m.add("file", text(f.Content), "")
		all.noted(f.Name, m.inline(), f.Why)
	}
	for _, c := range s.scratch() {
		if c.size == "" {
			c.size = "16MiB"
		}
		var m group
		m.add("tmpfs", text(c.size), "")
		if c.mode != "" {
			m.add("mode", text(c.mode), "")
		}
		if c.owner != "" && c.owner != s.user && c.owner != "root" {
			m.add("owner", text(c.owner), "")
		}
		all.add(c.path, m.inline(), c.why)
	}
	return all.expr()
}

func number(n int) ast.Expr { return ast.NewLit(token.INT, fmt.Sprint(n)) }

// printable is text for people, without what a profile's own texts may not hold.
func printable(line string) string {
	line = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0xfffd || 0x202a <= r && r <= 0x202e || 0x2066 <= r && r <= 0x2069 {
			return ' '
		}
		return r
	}, line)
	if runes := []rune(line); len(runes) > 200 {
		line = string(runes[:200])
	}
	return line
}
