// Package selinux writes policies for SELinux in its Common Intermediate Language
// (github.com/SELinuxProject/cil), for a policy that has sbx's module in it
// (packaging/selinux/sbx.cil). A policy gives a sandbox types of its own, what they may
// do, and rules that forbid its compiler to make anything of it, or of what comes beside
// it, that would open a wall.
package selinux

import (
	"bytes"
	"fmt"
	"strings"
)

// Names within a policy.
const (
	Process   = "process"   // what the sandbox's processes are
	Content   = "content"   // what it may write
	Exposed   = "exposed"   // the types of what it sees of the host, less what no sandbox may see
	paths     = "paths"     // those types as the host has them
	images    = "images"    // those of the images among it
	examined  = "examined"  // what libvirtd looks at of those
	foreign   = "foreign"   // what it may not write
	unseen    = "unseen"    // what it may not read
	others    = "others"    // processes of others
	strangers = "strangers" // those that it may not even speak with
	settings  = "settings"  // the kernel's, that are not its own network's
	devices   = "devices"   // the host's
	mounts    = "mounts"    // file systems that it may not mount
)

// Module is what the policy of a sandbox is called in the host's, and the block that its
// names stand in.
func Module(sandbox string) string { return "sbx_" + sandbox }

// Type is a name of a sandbox's policy, as the host's policy has it.
func Type(sandbox, name string) string { return Module(sandbox) + "." + name }

// Policy is a policy that is being written.
type Policy struct {
	name string
	kind Kind
	body bytes.Buffer
}

// Kind is an attribute of sbx's module: what sandboxes of a kind have in common, so that
// libvirt can run them. What begins with its name says what that is: KIND_own is what
// libvirt and the kernel give to one alone, KIND_shared what each may read, KIND_devices
// what it opens of the host's, and KIND_peers whom it may speak with.
type Kind string

// The kinds.
const (
	Container Kind = "sbx_container"
	Machine   Kind = "sbx_machine"
)

// New starts the policy of a sandbox.
func New(sandbox string, kind Kind) *Policy {
	p := &Policy{name: sandbox, kind: kind}
	p.For("what its processes are, and what is its own")
	p.line("(type %s)", Process)
	p.line("(type %s)", Content)
	p.line("(roletype system_r %s)", Process)
	p.line("(roletype object_r %s)", Content)
	p.line("(typeattributeset %s %s)", kind, Process)
	p.line("(typeattributeset sbx_content %s)", Content)
	for _, a := range []string{"file_type", "non_security_file_type", "virt_image_type"} {
		p.line("(typeattributeset %s %s)", a, Content)
	}
	p.For("what it sees of the host, whose types the host names")
	p.line("(typeattribute %s)", paths)
	p.line("(typeattribute %s)", Exposed)
	p.line("(typeattributeset %s (and %s sbx_seen))", Exposed, paths)
	return p
}

func (p *Policy) line(format string, values ...any) {
	p.body.WriteByte('\t')
	fmt.Fprintf(&p.body, format, values...)
	p.body.WriteByte('\n')
}

// For says what the rules are for that follow.
func (p *Policy) For(what string) { fmt.Fprintf(&p.body, "\n\t; %s\n", what) }

// Allow lets its processes do something to what is of a type ("self": to each other).
func (p *Policy) Allow(target, class string, permissions ...string) {
	p.line("(allow %s %s (%s (%s)))", Process, target, class, strings.Join(permissions, " "))
}

// Never forbids the compiler to let them, whatever it is given beside this.
func (p *Policy) Never(target, class string, permissions ...string) {
	p.line("(neverallow %s %s (%s (%s)))", Process, target, class, strings.Join(permissions, " "))
}

// Set gives a name to an expression over types.
func (p *Policy) Set(name, expression string) {
	p.line("(typeattribute %s)", name)
	p.line("(typeattributeset %s %s)", name, expression)
}

// Label has a path of the host, and everything in it, be the sandbox's own content, of
// the categories that it has ("c1,c2").
func (p *Policy) Label(path, categories string) {
	level := "(s0 (" + strings.ReplaceAll(categories, ",", " ") + "))"
	p.line(`(filecon "%s(/.*)?" any (system_u object_r %s (%s %s)))`, expression(path), Content, level, level)
}

// expression is the regular expression of one path, whatever it is made of: its host's
// table of paths and types has a line and white space for each.
func expression(path string) string {
	var b strings.Builder
	for _, c := range []byte(path) {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("/_-", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, `\x%02x`, c)
		}
	}
	return b.String()
}

// Examine has libvirtd look at the images that the sandbox reads, as it does before it
// starts a machine: no other sandbox has it read what has such a type.
func (p *Policy) Examine() {
	p.For("images that it reads: libvirtd looks at them first")
	p.line("(typeattribute %s)", images)
	p.Set(examined, "(and "+images+" sbx_seen)")
	p.line("(allow virtd_t %s (file (getattr open read)))", examined)
}

// Encode is the policy's text. It can be loaded once Bind has named the types of what
// the sandbox sees.
func (p *Policy) Encode() []byte {
	return fmt.Appendf(nil, "(block %s%s)\n", Module(p.name), p.body.Bytes())
}

// Bind completes the policy of a sandbox with the types of the host's paths that it
// sees, and those of the images among them.
func Bind(policy []byte, sandbox string, seen, ofImages []string) []byte {
	bound := bytes.Clone(policy)
	for _, of := range []struct {
		name  string
		types []string
	}{{paths, seen}, {images, ofImages}} {
		if len(of.types) > 0 {
			bound = fmt.Appendf(bound, "(typeattributeset %s (%s))\n", Type(sandbox, of.name), strings.Join(of.types, " "))
		}
	}
	return bound
}
