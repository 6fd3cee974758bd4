package bound

import (
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/accounts"
	"github.com/sbx-dev/sbx/internal/stage"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/rootfs"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Inside finds a user of the sandbox's by its own databases, before there is a
// sandbox; "" is root.
func (s *Sandbox) Inside(user string) (Owner, error) {
	if user == "" {
		return Owner{}, nil
	}
	u, err := accounts.Databases(s.openInside).Lookup(user)
	if err != nil {
		return Owner{}, fault.New(diag.Failed, "%s: %w", s.Name, err)
	}
	return Owner{int(u.UID), int(u.GID)}, nil
}

// openInside opens a file that the sandbox will see at a path, as far as that is known
// on the host: what an image holds is not.
func (s *Sandbox) openInside(path string) (io.ReadCloser, error) {
	m := rootfs.Enclosing(path+"/.", s.Manifest.Mounts) // the one at the path itself, too
	switch {
	case m != nil && m.Kind == manifest.Inline:
		content, err := InlineContent(*m)
		return io.NopCloser(strings.NewReader(string(content))), err
	case m != nil && m.Kind == manifest.Export:
		source, err := stage.Open(filepath.Join(m.Source, strings.TrimPrefix(path, m.Target)))
		if err != nil {
			return nil, err
		}
		defer source.Close()
		return source.Read()
	}
	return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
}
