// Package shelf reads the profiles that ship with sbx, for tests that hold of each.
package shelf

import (
	"bytes"
	"io/fs"
	"strings"

	"github.com/sbx-dev/sbx/profiles"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/load"
)

// Names are those of the profiles, without ".cue".
func Names() ([]string, error) {
	files, err := fs.Glob(profiles.FS(), "*.cue")
	var names []string
	for _, file := range files {
		if !strings.HasSuffix(file, "_test.cue") {
			names = append(names, strings.TrimSuffix(file, ".cue"))
		}
	}
	return names, err
}

// Load reads a profile for a backend, with its claims; nil where it is for others only.
func Load(name string, backend schema.Backend) (*schema.Profile, error) {
	text, err := fs.ReadFile(profiles.FS(), name+".cue")
	if err != nil {
		return nil, err
	}
	c := load.Config{FS: profiles.FS(), Tests: true}
	if bytes.Contains(text, []byte("@tag(backend)")) {
		c.Tags = []string{"backend=" + string(backend)}
	}
	found, err := c.Load(name + ".cue")
	if err != nil || found[0].Backend != backend {
		return nil, err
	}
	return found[0], nil
}
