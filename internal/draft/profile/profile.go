// Package profile is what drafts have in common, whatever they are made from: a name,
// text that a profile can hold, and that the schema takes what comes out.
package profile

import (
	"fmt"
	"path"
	"strings"

	"github.com/sbx-dev/sbx/internal/pattern"
	"github.com/sbx-dev/sbx/schema/load"
)

// Draft is a profile that somebody may read, change and use.
type Draft struct {
	Name   string   // the profile's
	Source []byte   // the profile as CUE
	Edits  []string // what a person has to decide, a line each
}

// Origin is what somebody asked for.
type Origin struct {
	Text string // "unit:nginx.service"
	Name string // the profile's, "" to have one made
}

// Check holds a profile that has been drafted against the schema: a unit may hold what
// no profile can.
func Check(d *Draft) error {
	config := load.Config{Stdin: strings.NewReader(string(d.Source))}
	if _, err := config.Load("-"); err != nil {
		return fmt.Errorf("what there is of %s makes no profile that sbx takes: %w", d.Name, err)
	}
	return nil
}

// Name makes a name for a profile of a unit's.
func Name(unit string) string {
	name := strings.ToLower(strings.TrimSuffix(unit, ".service"))
	name = strings.Trim(strings.TrimLeft(notInNames().ReplaceAllString(name, "-"), "-0123456789"), "-")
	if len(name) > 40 {
		name = strings.Trim(name[:40], "-")
	}
	if name == "" {
		return "service"
	}
	return name
}

var notInNames = pattern.Of(`[^a-z0-9]+`)

// Printable is text for people, without what a profile's own texts may not hold.
func Printable(line string) string {
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

// Path is a path of a unit or configuration in its shortest form, with /run for
// /var/run; "" where it is none that a profile can hold.
func Path(name string) string {
	if !strings.HasPrefix(name, "/") || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd }) {
		return ""
	}
	name = path.Clean(name)
	if rest, ok := strings.CutPrefix(name, "/var/run/"); ok {
		name = "/run/" + rest
	}
	if name == "/" || len(name) > 1024 {
		return ""
	}
	return name
}
