package bound

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/stage"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema/diag"
)

// IsVolume says whether the mount's source is a file that holds a file system of a
// bounded size, which the sandbox sees as a folder.
func IsVolume(m manifest.Mount) bool { return m.Kind == manifest.Export && m.Size > 0 }

// checkVolume says early what openVolume would say when an older sandbox has ended.
func (s *Sandbox) checkVolume(m manifest.Mount) error {
	if !Staged() {
		return fault.New(diag.NoSource, "%s is to have a size, which takes mounts that root alone can make: run sbx as root, or leave size out", m.Source)
	}
	folder, err := filepath.EvalSymlinks(filepath.Dir(m.Source))
	if err == nil {
		err = s.refuseControl(m, folder)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return fault.Because(diag.NoSource, stage.CheckVolume(m.Source, m.Size))
}

// openVolume opens it. A new one is given to the user of the host to whom the folder
// would be; its file system shows ids in each other's place, whatever the host's own
// does.
func (s *Sandbox) openVolume(m manifest.Mount, to stage.Folder) (*stage.Source, error) {
	if err := stage.Remove(s.StageDir()); err != nil { // what an older machine has left keeps it mounted
		return nil, err
	}
	source, err := stage.OpenVolume(m.Source, m.Size)
	if err != nil {
		return nil, fault.Because(diag.NoSource, err)
	}
	if s.Swap != nil {
		to.UID, to.GID = int(s.Metadata.Machine.ID), int(s.Metadata.Machine.ID)
	}
	if err := source.Give(to); err != nil {
		source.Close()
		return nil, err
	}
	return source, nil
}
