package command

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/sbx-dev/sbx/schema"
)

func TestPathsWithColonsArePartedAtTheLast(t *testing.T) {
	for entry, want := range map[string][2]string{
		"/a":             {"/a", ""},
		"a b":            {"a b", ""},
		"/a:/b":          {"/a", "/b"},
		"/a:b":           {"/a:b", ""},
		"/a:b:/c":        {"/a:b", "/c"},
		`/a\:/b`:         {"/a:/b", ""},
		`/a\:/b:/c\:/d`:  {"/a:/b", "/c:/d"},
		"/etc/x:10:00/y": {"/etc/x:10:00/y", ""},
	} {
		if host, path := splitPlaces(entry); host != want[0] || path != want[1] {
			t.Errorf("%q: %q and %q", entry, host, path)
		}
	}
	for entry, want := range map[string][2]string{"/t": {"/t", ""}, "/t:1MiB": {"/t", "1MiB"}, "/t:a:1MiB": {"/t:a", "1MiB"}, `/t\:a`: {"/t:a", ""}} {
		if path, size := splitEnd(entry, ":"); path != want[0] || size != want[1] {
			t.Errorf("%q: %q and %q", entry, path, size)
		}
	}
}

// What the default profile shows and a host has not got is left out. The machine's
// own folders are not for a test to take away.
func TestTheDefaultProfileTakesWhatIsThere(t *testing.T) {
	gone := filepath.Join(t.TempDir(), "opt")
	p := &schema.Profile{Expose: []string{"/usr", gone, "/etc"}}
	keepWhatIsThere(p)
	if want := []string{"/usr", "/etc"}; !slices.Equal(p.Expose, want) {
		t.Errorf("%q, want %q", p.Expose, want)
	}
}
