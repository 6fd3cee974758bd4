package observe

import (
	"strings"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/plan"
)

// lookAtSources finds out what stands now at the host paths that a running sandbox
// sees. It keeps what stood there when it started: a file that was replaced since, as
// most programs write files, is another one.
func (o *Observed) lookAtSources() {
	o.sources = map[string]string{}
	if !o.Active {
		return
	}
	for _, s := range o.Metadata.Sources {
		o.sources[sourceObject(s)] = bound.Identify(s)
	}
}

// sources compares what stands at the host paths with what the sandbox has. A path
// that it is no longer to see differs in the manifest.
func (c *comparison) sources() {
	for _, s := range c.have.Metadata.Sources {
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
