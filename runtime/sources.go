package runtime

import (
	"path/filepath"
	"strings"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/stage"
	"github.com/sbx-dev/sbx/runtime/internal/rootfs"
	"github.com/sbx-dev/sbx/runtime/plan"
)

// lookAtSources finds out what stands now at the host paths that a running sandbox
// sees. It keeps what stood there when it started: a file that was replaced since, as
// most programs write files, is another one.
func (o *observed) lookAtSources() {
	o.sources = map[string]string{}
	if !o.active {
		return
	}
	for _, s := range o.metadata.Sources {
		o.sources[sourceObject(s)] = identify(s)
	}
}

// sources are to be noted of the sandbox: what it was started with, by this Up or by
// an earlier one.
func (u *up) sources() []compiler.SourceMetadata {
	if u.renews() || u.have.metadata == nil {
		return u.s.metadata.Sources
	}
	return u.have.metadata.Sources
}

// sources compares what stands at the host paths with what the sandbox has. A path
// that it is no longer to see differs in the manifest.
func (c *comparison) sources() {
	for _, s := range c.have.metadata.Sources {
		if now, looked := c.have.sources[sourceObject(s)]; looked && now != s.ID {
			c.add(sourceObject(s), plan.Difference{Live: s.ID, Desired: now}, plan.Restart, whySource)
		}
	}
}

// The names of host paths among the objects of a sandbox.
const (
	sourcePrefix  = "host path "
	entriesPrefix = "entries of host path "
)

func sourceObject(s compiler.SourceMetadata) string {
	if s.Entries {
		return entriesPrefix + s.Path
	}
	return sourcePrefix + s.Path
}

// isSource says whether an object is a host path.
func isSource(object string) bool {
	return strings.HasPrefix(object, sourcePrefix) || strings.HasPrefix(object, entriesPrefix)
}

// identify tells what stands there now.
func identify(s compiler.SourceMetadata) string {
	if s.Entries {
		return stage.IdentifyEntries(s.Path)
	}
	return stage.Identify(s.Path)
}

// noteEntries notes what stands in folders of the host that were put together anew,
// given as paths inside.
func (s *sandbox) noteEntries(folders []string) {
	for _, folder := range folders {
		outer := rootfs.Enclosing(filepath.Join(folder, "x"), s.manifest.Mounts)
		if outer == nil || outer.Kind != manifest.Export {
			continue
		}
		note := compiler.SourceMetadata{Path: filepath.Join(outer.Source, strings.TrimPrefix(folder, outer.Target)), Entries: true}
		note.ID = identify(note)
		s.metadata.Sources = append(s.metadata.Sources, note)
	}
}
