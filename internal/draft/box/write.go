package box

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/token"

	"github.com/sbx-dev/sbx/internal/draft/amounts"
	"github.com/sbx-dev/sbx/internal/draft/cuetext"
	"github.com/sbx-dev/sbx/internal/draft/profile"
	"github.com/sbx-dev/sbx/schema"
)

// write writes all that was read, whether a profile says it or not.
func (b *box) write() (*profile.Draft, error) {
	var p cuetext.Group
	p.Add("name", cuetext.Text(b.Name), "")
	if b.description != "" {
		p.Add("description", cuetext.Text(profile.Printable(b.description)), "")
	}
	p.Add("backend", cuetext.Text("lxc"), `a container; "kvm" is a machine of its own`)
	if b.hostname != "" && b.hostname != b.Name {
		p.Add("hostname", cuetext.Text(b.hostname), "")
	}
	if len(b.after) > 0 {
		p.Add("after", cuetext.Texts(b.after), b.notes)
	}
	p.Section("run", b.run())
	p.Section("expose", cuetext.Texts([]string{"/usr", "/etc/passwd", "/etc/group", "/etc/ld.so.cache"}), "the host's files that are there, read-only: its programs, in place of "+cmp.Or(b.image, "an image's"))
	p.Section("mounts", b.mountsExpr())
	if network := b.network(); network != nil {
		p.Section("network", network)
	}
	if len(b.devices) > 0 {
		p.Section("devices", cuetext.Texts(b.devices), "the host's, each a way to its kernel or hardware")
	}
	if len(b.capabilities) > 0 {
		p.Section("capabilities", cuetext.Texts(b.capabilities))
	}
	if len(b.sysctls) > 0 {
		var all cuetext.Group
		for _, v := range b.sysctls {
			all.Add(v.Name, cuetext.Text(v.Why), "")
		}
		p.Section("sysctls", all.Expr())
	}
	if r := b.resources(); !r.Empty() {
		p.Section("resources", r.Expr())
	}
	source, err := cuetext.File(b.Name, b.header(), &p)
	if err != nil {
		return nil, fmt.Errorf("writing the profile: %w", err)
	}
	d := &profile.Draft{Name: b.Name, Source: source, Edits: b.edits}
	return d, profile.Check(d)
}

func (b *box) header() []string {
	list := []string{fmt.Sprintf("Drafted by sbx init --from %s", b.Text)}
	if b.image != "" {
		list = append(list, "with the host's programs in place of the image "+b.image)
	}
	if len(b.edits) > 0 {
		list = append(list, "", "Edit:")
		for _, e := range b.edits {
			list = append(list, "  "+e)
		}
	}
	if len(b.left) > 0 {
		list = append(list, "", "Not said here:")
		for _, l := range b.left {
			list = append(list, "  "+l)
		}
	}
	return list
}

func (b *box) run() ast.Expr {
	var r cuetext.Group
	r.Noted("argv", cuetext.Texts(b.argv), b.argvWhy)
	if len(b.env) > 0 {
		var env cuetext.Group
		for _, v := range b.env {
			env.Add(v.Name, cuetext.Text(v.Why), "")
		}
		r.Add("env", env.Expr(), "")
	}
	for _, one := range []struct{ field, value string }{{"workdir", profile.Path(b.workdir)}, {"user", b.user}, {"restart", b.restart}} {
		if one.value != "" {
			r.Add(one.field, cuetext.Text(one.value), "")
		}
	}
	if user, _, _ := strings.Cut(b.user, ":"); !slices.Contains([]string{"", "0", "root"}, user) && len(b.capabilities) > 0 {
		r.Add("capabilities", cuetext.Texts(b.capabilities), "")
	}
	if b.notify {
		var ready cuetext.Group
		ready.Add("notify", ast.NewBool(true), "")
		r.Add("ready", ready.Inline(), "Notify=")
	} else if i := slices.IndexFunc(b.ports, func(p port) bool { return p.protocol == "tcp" }); i >= 0 {
		var ready cuetext.Group
		ready.Add("tcp", cuetext.Number(b.ports[i].inside), "")
		r.Add("ready", ready.Inline(), "up waits until it answers there")
	}
	if len(b.health) > 0 {
		var health cuetext.Group
		health.Add("exec", cuetext.Texts(b.health), "")
		if b.healthEvery != "" {
			health.Add("every", cuetext.Text(b.healthEvery), "")
		}
		if n := int(amounts.Number(b.healthFailures)); n > 0 {
			health.Add("failures", cuetext.Number(n), "")
		}
		r.Add("health", health.Inline(), "")
	}
	if b.reload != "" {
		var reload cuetext.Group
		reload.Add("signal", cuetext.Text(b.reload), "")
		r.Add("reload", reload.Inline(), "")
	}
	var stop cuetext.Group
	if b.signal != "" {
		stop.Add("signal", cuetext.Text(strings.TrimPrefix(strings.ToUpper(b.signal), "SIG")), "")
	}
	if b.timeout != "" {
		stop.Add("timeout", cuetext.Text(b.timeout), "")
	}
	if !stop.Empty() {
		r.Add("stop", stop.Inline(), "")
	}
	return r.Expr()
}

func (b *box) mountsExpr() ast.Expr {
	var all cuetext.Group
	usual := []mount{{inside: "/run", size: "16MiB"}, {inside: "/tmp", size: "64MiB"}}
	for _, m := range append(usual, b.mounts...) {
		if m.size != "" && m.why == "" && slices.ContainsFunc(b.mounts, func(n mount) bool { return n.inside == m.inside }) {
			continue
		}
		var one cuetext.Group
		if m.host == "" {
			one.Add("tmpfs", cuetext.Text(m.size), "")
		} else {
			one.Add("host", cuetext.Text(m.host), "")
		}
		if m.host != "" && !m.readOnly {
			one.Add("writable", ast.NewBool(true), "")
		}
		all.Add(m.inside, one.Inline(), m.why)
	}
	return all.Expr()
}

// network is one that all of the file's are on; who may ask whom, the file does not say.
func (b *box) network() ast.Expr {
	if len(b.ports) == 0 && len(b.after) == 0 && !b.shared {
		b.edit("network: it offers no port, and gets no network; write one where it asks others")
		return nil
	}
	host, _ := profile.Subnet(profile.Name(b.project))
	var n, create cuetext.Group
	create.Add("mode", cuetext.Text("isolated"), "")
	create.Add("address", cuetext.Text(netip.PrefixFrom(host, profile.SubnetBits).String()), "")
	n.Add("attach", cuetext.Text("sbx-"+profile.Name(b.project)), "")
	n.Add("create", create.Inline(), "")
	n.Add("address", cuetext.Text(schema.Auto), "")
	var rules, published []cuetext.Item
	for _, p := range b.ports {
		rules = append(rules, cuetext.Item{Value: profile.Rule("in", p.protocol, []int{p.inside}, ""), Remark: p.why})
		if p.host != 0 {
			var one cuetext.Group
			one.Add("tcp", cuetext.Number(p.host), "")
			one.Add("to", cuetext.Number(p.inside), "")
			if p.on != "" {
				one.Add("on", cuetext.Text(p.on), "")
			}
			published = append(published, cuetext.Item{Value: one.Inline(), Remark: p.why})
		}
	}
	if len(rules) > 0 {
		n.Add("allow", cuetext.Lines(rules), "")
	}
	if len(published) > 0 {
		n.Add("publish", cuetext.Lines(published), "")
	}
	for _, other := range b.after {
		b.edit("network.allow: if it asks %s, say so here, {out: tcp: [PORT], to: %q}, and there, {in: tcp: [PORT], from: %q}", other, other, b.Name)
	}
	return n.Expr()
}

func (b *box) resources() *cuetext.Group {
	var r cuetext.Group
	if b.memory != "" {
		r.Add("memory", cuetext.Text(b.memory), "")
	}
	if n := amounts.Number(b.cpus); n > 0 {
		r.Add("cpus", ast.NewLit(token.FLOAT, strconv.FormatFloat(n, 'f', -1, 64)), "")
	}
	if n := int(amounts.Number(b.pids)); n > 0 {
		r.Add("pids", cuetext.Number(n), "")
	}
	if len(b.ulimits) > 0 {
		var all cuetext.Group
		for _, l := range b.ulimits {
			all.Add(l.name, profile.Ulimit(l.name, l.Ulimit), "")
		}
		r.Add("ulimits", all.Expr(), "")
	}
	return &r
}
