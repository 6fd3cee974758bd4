package bound

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/stage"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/internal/within"
	"github.com/sbx-dev/sbx/runtime/internal/rootfs"
	"github.com/sbx-dev/sbx/runtime/internal/selinux"
)

// A sandbox's stage holds what it sees of the host: a container's whole root, by
// the name of state.Root; each export of a machine, by its tag; and the machine's
// images, by theirs, in state.StageImages. The domain names these places, so that libvirt
// looks at what sbx has opened and at nothing else.
// Staged says whether sandboxes have a stage: root alone can make mounts. Others
// have machines only, whose QEMU is their own and goes by the host's paths.
func Staged() bool { return os.Geteuid() == 0 }

func (s *Sandbox) StageDir() string { return filepath.Join(s.Dir, state.Stage) }

// StageRoot has a container's domain name the root on the stage, in which all is
// mounted already, but for what is below folders that libvirt makes itself. libvirt
// is not told that the root is read-only, which it is: it would make everything
// read-only that is mounted in it.
func (s *Sandbox) StageRoot() {
	onStage := map[string]bool{}
	for _, m := range s.Manifest.Mounts {
		onStage[m.Target] = isOnStage(m)
	}
	devices := s.Domain.Devices
	devices.Filesystems = slices.DeleteFunc(devices.Filesystems, func(f libvirtxml.DomainFilesystem) bool {
		return f.Target != nil && onStage[f.Target.Dir]
	})
	for i := range devices.Filesystems {
		f := &devices.Filesystems[i]
		if f.Target != nil && f.Target.Dir == "/" && f.Source != nil && f.Source.Mount != nil {
			f.Source.Mount.Dir = filepath.Join(s.StageDir(), state.Root)
			f.ReadOnly = nil
		}
	}
}

// isOnStage is false for what lies in folders that libvirt mounts itself.
func isOnStage(m manifest.Mount) bool {
	return !slices.ContainsFunc([]string{"/dev", "/proc", "/sys"}, func(own string) bool { return within.Dir(m.Target, own) })
}

// StageContainer makes the stage of a container, whose root prepare has made.
func (s *Sandbox) StageContainer() error {
	return s.onStage(s.Base(), func(st *stage.Stage) error {
		source, err := stage.Open(filepath.Join(s.Dir, state.Root))
		if err != nil {
			return err
		}
		defer source.Close()
		root, err := mountPlace(st, state.Root, source, stage.Options{})
		if err != nil {
			return err
		}
		defer root.Close()
		for _, m := range s.Manifest.Mounts {
			if !isOnStage(m) {
				continue
			}
			if err := s.mountInContainer(root, m); err != nil {
				return err
			}
		}
		s.noteEntries(root.Rebuilt())
		return nil
	})
}

// mountInContainer mounts one entry of the manifest.
func (s *Sandbox) mountInContainer(root *stage.Place, m manifest.Mount) error {
	switch m.Kind {
	case manifest.Export:
		return root.MountAt(m.Target, s.Host[m.Target], stage.Options{Writable: m.Writable})
	case manifest.Inline:
		source, err := stage.Open(compiler.InlineFile(filepath.Join(s.Dir, state.Files), m.Target))
		if err != nil {
			return err
		}
		defer source.Close()
		return root.MountAt(m.Target, source, stage.Options{})
	case manifest.Tmpfs:
		to, err := s.Inside(m.Owner)
		if err != nil {
			return err
		}
		return root.MemoryAt(m.Target, stage.Memory{Size: m.Size, Mode: uint32(m.Mode), UID: s.Base() + to.UID, GID: s.Base() + to.GID})
	case manifest.Socket:
		return root.MountAt(m.Target, s.Host[m.Target], stage.Options{Writable: m.Writable, NoExec: true})
	case manifest.Figures:
		return root.FiguresAt(m.Target, m.Source)
	}
	return fmt.Errorf("a container cannot have the %s at %s", m.Kind, m.Target)
}

// StageMachine makes the stage of a machine: each export with the points at which
// the machine mounts something in it, and the images.
func (s *Sandbox) StageMachine() error {
	return s.onStage(s.QEMU.UID, func(st *stage.Stage) error {
		for _, m := range s.Manifest.Mounts {
			var err error
			switch {
			case m.Kind == manifest.Image:
				err = s.stageIn(st, state.StageImages, m.Tag, m)
			case m.Single:
				err = s.stageIn(st, m.Tag, manifest.SingleFile, m)
			case m.Kind == manifest.Export:
				err = s.stageExport(st, m)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// stageIn mounts a single file in a folder of the stage.
func (s *Sandbox) stageIn(st *stage.Stage, folder, name string, m manifest.Mount) error {
	place, err := st.Place(folder)
	if err != nil {
		return err
	}
	defer place.Close()
	return place.MountAt(name, s.Host[m.Target], stage.Options{Writable: m.Writable})
}

func (s *Sandbox) stageExport(st *stage.Stage, m manifest.Mount) error {
	place, err := mountPlace(st, m.Tag, s.Host[m.Target], stage.Options{Writable: m.Writable})
	if err != nil {
		return err
	}
	defer place.Close()
	for _, inner := range s.Manifest.Mounts {
		outer := rootfs.Enclosing(inner.Target, s.Manifest.Mounts)
		if outer == nil || outer.Target != m.Target {
			continue
		}
		if err := place.Point(strings.TrimPrefix(inner.Target, m.Target), s.IsFolder(inner)); err != nil {
			return fmt.Errorf("%s, which %s is exposed around: %w", inner.Target, m.Source, err)
		}
	}
	for _, folder := range place.Rebuilt() {
		s.noteEntries([]string{filepath.Join(m.Target, folder)})
	}
	return nil
}

// IsFolder says whether a folder stands at the mount's target.
func (s *Sandbox) IsFolder(m manifest.Mount) bool {
	return m.Kind != manifest.Inline && (m.Kind != manifest.Export || s.Host[m.Target].IsDir())
}

// mountPlace mounts a source on a folder of the stage.
func mountPlace(st *stage.Stage, name string, source *stage.Source, o stage.Options) (*stage.Place, error) {
	place, err := st.Place(name)
	if err != nil {
		return nil, err
	}
	defer place.Close()
	return place.Mount(source, o)
}

// onStage makes a stage that a user of the host may enter, and takes it away again
// where that fails.
func (s *Sandbox) onStage(reader int, fill func(*stage.Stage) error) (err error) {
	if err := s.checkPolicy(); err != nil {
		return err
	}
	st, err := stage.New(s.StageDir(), reader, selinux.Contexts(s.Domain))
	if err != nil {
		return err
	}
	defer st.Close()
	if err = fill(st); err == nil {
		err = st.Seal()
	}
	if err != nil {
		_ = stage.Remove(s.StageDir()) // clear does it otherwise
	}
	return err
}

// checkPolicy refuses what SELinux's policy would keep from the sandbox.
func (s *Sandbox) checkPolicy() error {
	for _, m := range s.Manifest.Mounts {
		source := s.Host[m.Target]
		if source == nil || !IsOfHost(m) {
			continue
		}
		if err := selinux.Check(selinux.Of(s.Domain), source, m); err != nil {
			return err
		}
	}
	return nil
}
