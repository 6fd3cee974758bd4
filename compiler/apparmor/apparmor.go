// Package apparmor writes AppArmor profiles (apparmor.d(5)): allow-lists, in which
// what no rule names is denied. Paths come from profiles and hosts, and are hostile:
// they stand in a rule so that each byte means itself.
package apparmor

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Pattern is the paths that a rule is about, in AppArmor's syntax. A conversion
// from a string is for patterns that stand in the source code: those that are made
// of a path are Path's.
type Pattern string

// Path is the pattern of one path. A folder's own ends in a slash for AppArmor: see
// Tree.
func Path(path string) Pattern {
	var b strings.Builder
	for _, c := range []byte(path) {
		if isPlain(c) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, `\%03o`, c) // which neither quoting nor globbing gives a meaning
		}
	}
	return Pattern(b.String())
}

// isPlain says whether a byte has no meaning but itself in a quoted pattern.
func isPlain(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("/._-+:=", c) >= 0
}

// Tree is the folder of the pattern and everything in it.
func (p Pattern) Tree() Pattern { return p + "/{,**}" }

// Variable stands for a path that is only known on the host that loads the profile.
type Variable string

// Pattern is what the variable stands for.
func (v Variable) Pattern() Pattern { return Pattern("@{" + string(v) + "}") }

// Profile is a profile that is being written. It mediates what AppArmor 3.0 does:
// kernels that can do more leave that alone.
type Profile struct{ body bytes.Buffer }

// New starts a profile. Where a file is open that no name leads to, as one of
// another mount namespace, it counts as if it stood in the root folder.
func New(name string) *Profile {
	p := new(Profile)
	fmt.Fprintf(&p.body, "profile %q flags=(attach_disconnected) {\n", Path(name))
	return p
}

// For says what the rules are for that follow.
func (p *Profile) For(what string) {
	fmt.Fprintf(&p.body, "\n  # %s\n", what)
}

// Allow adds a rule that stands in the source code, without its comma.
func (p *Profile) Allow(rule string) {
	fmt.Fprintf(&p.body, "  %s,\n", rule)
}

// File allows access, such as "r", "rw" or "mr", to what the patterns name.
func (p *Profile) File(access string, patterns ...Pattern) {
	for _, pattern := range patterns {
		fmt.Fprintf(&p.body, "  \"%s\" %s,\n", pattern, access)
	}
}

// Encode is the profile's text. It can be loaded once Bind has given its variables
// their values.
func (p *Profile) Encode() []byte {
	return append(bytes.Clone(p.body.Bytes()), "}\n"...)
}

// Bind puts what variables stand for before a profile: text that apparmor_parser
// loads.
func Bind(profile []byte, values map[Variable]string) []byte {
	var b bytes.Buffer
	b.WriteString("abi <abi/3.0>,\n\n")
	for _, v := range slices.Sorted(maps.Keys(values)) {
		fmt.Fprintf(&b, "%s = \"%s\"\n", v.Pattern(), Path(values[v]))
	}
	b.WriteByte('\n')
	b.Write(profile)
	return b.Bytes()
}
