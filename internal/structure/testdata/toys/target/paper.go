// Package paper is a target that is not libvirt, for a test: a note that somebody
// carries out by hand, who can put up no packet filter.
package paper

import (
	"fmt"
	"strings"

	"github.com/sbx-dev/sbx/compiler/bundle"
	"github.com/sbx-dev/sbx/compiler/resolve"
)

// Lower writes the note.
func Lower(s *resolve.Sandbox, b *bundle.Bundle) error {
	if len(s.Interfaces) > 0 {
		return fmt.Errorf("%s: %s: nobody filters packets by hand", s.Source.Pos(s.Interfaces[0].Path), s.Interfaces[0].Path)
	}
	var note strings.Builder
	fmt.Fprintf(&note, "run %s\n", strings.Join(s.Manifest.Run.Argv, " "))
	for _, m := range s.Manifest.Mounts {
		fmt.Fprintf(&note, "show %s at %s\n", m.Kind, m.Target)
	}
	b.Add("note.txt", []byte(note.String()))
	return nil
}
