// Package mentions finds the paths that the texts of services name: their
// configuration, their commands, their variables.
package mentions

import (
	"path"
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/internal/draft/profile"
	"github.com/sbx-dev/sbx/internal/pattern"
)

// Mention is a path, and the line that names it.
type Mention struct {
	Path string
	Line int // from 1
}

// In are the paths that a configuration file names outside of its comments; none of
// what is no text.
func In(data []byte) (all []Mention) {
	if slices.Contains(data, 0) {
		return nil
	}
	line := 0
	for text := range strings.Lines(string(data)) {
		line++
		text = strings.TrimSpace(text)
		if text == "" || strings.ContainsRune("#;", rune(text[0])) || strings.HasPrefix(text, "//") {
			continue
		}
		for _, name := range Of(text) {
			all = append(all, Mention{name, line})
		}
	}
	return all
}

var absolutePath = pattern.Of(`(?:^|[\s"'=:,(\[])(/[A-Za-z0-9._+@/-]+)`)

// Of are the absolute paths in a text.
func Of(text string) (all []string) {
	for _, m := range absolutePath().FindAllStringSubmatch(text, 64) {
		if name := profile.Path(strings.TrimRight(m[1], ".,/")); name != "" {
			all = append(all, name)
		}
	}
	return all
}

// ForPeople says whether a file is there for people: what is enabled is a link to it.
func ForPeople(name string) bool {
	for step := range strings.SplitSeq(path.Dir(name), "/") {
		if strings.HasSuffix(step, "-available") || step == "snippets" || step == "examples" {
			return true
		}
	}
	base := strings.ToUpper(path.Base(name))
	return strings.HasPrefix(base, "README") || strings.HasSuffix(base, ".DPKG-OLD") || strings.HasSuffix(base, ".DPKG-DIST") || strings.HasSuffix(base, "~")
}
