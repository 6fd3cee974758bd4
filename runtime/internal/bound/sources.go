package bound

import (
	"path/filepath"
	"strings"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/stage"
	"github.com/sbx-dev/sbx/runtime/internal/rootfs"
)

// Identify tells what stands there now.
func Identify(s compiler.SourceMetadata) string {
	if s.Entries {
		return stage.IdentifyEntries(s.Path)
	}
	return stage.Identify(s.Path)
}

// noteEntries notes what stands in folders of the host that were put together anew,
// given as paths inside.
func (s *Sandbox) noteEntries(folders []string) {
	for _, folder := range folders {
		outer := rootfs.Enclosing(filepath.Join(folder, "x"), s.Manifest.Mounts)
		if outer == nil || outer.Kind != manifest.Export {
			continue
		}
		note := compiler.SourceMetadata{Path: filepath.Join(outer.Source, strings.TrimPrefix(folder, outer.Target)), Entries: true}
		note.ID = Identify(note)
		s.Metadata.Sources = append(s.Metadata.Sources, note)
	}
}
