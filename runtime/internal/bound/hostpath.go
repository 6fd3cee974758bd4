package bound

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/eyes"
	"github.com/sbx-dev/sbx/internal/stage"
	"github.com/sbx-dev/sbx/internal/within"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/selinux"
	"github.com/sbx-dev/sbx/schema/diag"
)

// IsOfHost says whether the mount is a path of the host.
func IsOfHost(m manifest.Mount) bool { return m.Kind == manifest.Export || m.Kind == manifest.Image }

// OpenHost opens all host paths that the sandbox is to see, so that what is checked
// is what it gets, and notes what they are. A writable folder may be missing yet.
func (s *Sandbox) OpenHost() error {
	if s.Host == nil {
		s.Host = map[string]*stage.Source{}
	}
	for _, m := range s.Manifest.Mounts {
		if !IsOfHost(m) || s.Host[m.Target] != nil {
			continue
		}
		if IsVolume(m) { // makeWritable opens it, when nothing else has it any more
			if err := s.checkVolume(m); err != nil {
				return err
			}
			continue
		}
		source, err := stage.Open(m.Source)
		if errors.Is(err, fs.ErrNotExist) && m.Writable && m.Kind == manifest.Export {
			continue
		}
		if err != nil {
			return Exposed(m, err)
		}
		s.Host[m.Target] = source
		if err := s.refuseControl(m, source.Real); err != nil {
			return err
		}
		if err := refuseEndpoint(m, source); err != nil {
			return err
		}
		if err := s.refuseBelow(m, source); err != nil {
			return err
		}
	}
	return s.noteSources()
}

// refuseBelow refuses what is to stand below a path of the host that turns out to be a
// file. A profile's own files package schema knows.
func (s *Sandbox) refuseBelow(m manifest.Mount, source *stage.Source) error {
	if m.Kind != manifest.Export || source.IsDir() {
		return nil
	}
	for _, inner := range s.Manifest.Mounts {
		if inner.Target != m.Target && within.Dir(inner.Target, m.Target) {
			return fault.New(diag.NoPlace, "%s is to stand below %s, but on this host %s is a file: mount it elsewhere, or expose a folder there", inner.Target, m.Target, m.Source)
		}
	}
	return nil
}

// LibvirtRun is where libvirt's sockets are. A socket on a read-only mount can be
// connected to all the same.
const LibvirtRun = "/run/libvirt"

// refuseControl refuses what package schema refuses by name, now that links have
// been followed and the state folder is known: by these, sandboxes are controlled.
func (s *Sandbox) refuseControl(m manifest.Mount, real string) error {
	state, err := filepath.EvalSymlinks(filepath.Dir(s.Dir))
	if errors.Is(err, fs.ErrNotExist) {
		state, err = filepath.Dir(s.Dir), nil
	}
	if err != nil {
		return err
	}
	switch {
	case within.Dir(real, state), m.Writable && within.Dir(state, real):
		return fault.New(diag.NoSource, "%s cannot be given to the sandbox: it leads to sbx's own folder %s, in which sbx writes as root: give it another one", m.Source, state)
	case within.Dir(real, LibvirtRun), within.Dir(LibvirtRun, real):
		return fault.New(diag.NoSource, "%s cannot be given to the sandbox: it leads to libvirt's sockets in %s, and whoever reaches those controls the host: give it what is beside them, path by path", m.Source, LibvirtRun)
	}
	return nil
}

// Exposed says why a host path cannot be given to the sandbox.
func Exposed(m manifest.Mount, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		if closed := eyes.Blocked(os.Geteuid(), os.Getegid(), m.Source); closed != "" {
			return fault.New(diag.NotReachable, "%s is exposed, but lies below %s, which user %d may not search: run sbx as root, or chmod o+x %s (%w)", m.Source, closed, os.Geteuid(), closed, err)
		}
	}
	return fault.New(diag.NoSource, "%s is exposed: %w", m.Source, err)
}

// CloseHost gives the descriptors back.
func (s *Sandbox) CloseHost() {
	for _, source := range s.Host {
		source.Close()
	}
	for _, ids := range append(s.Kept, s.Swap) {
		if ids != nil {
			ids.Close()
		}
	}
	s.Host, s.Swap, s.Kept = nil, nil, nil
}

// MakeWritable makes the writable host folders that are missing, for the user and the
// group that ownerOf gives for one, and opens them.
func (s *Sandbox) MakeWritable(ownerOf func(manifest.Mount) (Owner, error)) error {
	for _, m := range s.Manifest.Mounts {
		if m.Kind != manifest.Export || !m.Writable || s.Host[m.Target] != nil {
			continue
		}
		to, err := ownerOf(m)
		if err != nil {
			return err
		}
		folder := stage.Folder{UID: to.UID, GID: to.GID, Mode: uint32(m.Mode), Context: selinux.Contexts(s.Domain).Written}
		if IsVolume(m) {
			if s.Host[m.Target], err = s.openVolume(m, folder); err != nil {
				return err
			}
			continue
		}
		if err := stage.MakeFolder(m.Source, folder); err != nil {
			return err
		}
	}
	return s.OpenHost()
}

// noteSources notes in the metadata what the opened paths are, and what is mounted
// below them, so that it is seen when something else takes their places.
func (s *Sandbox) noteSources() error {
	table, err := stage.Mounts()
	if err != nil {
		return err
	}
	s.Metadata.Sources = nil
	note := func(found compiler.SourceMetadata) {
		if !slices.ContainsFunc(s.Metadata.Sources, func(n compiler.SourceMetadata) bool { return n.Path == found.Path }) {
			s.Metadata.Sources = append(s.Metadata.Sources, found)
		}
	}
	for _, m := range s.Manifest.Mounts {
		source := s.Host[m.Target]
		if source == nil {
			continue
		}
		note(compiler.SourceMetadata{Path: m.Source, Target: m.Target, Writable: m.Writable, ID: source.ID.String()})
		for _, below := range table.Below(source.Real) {
			if !below.Covered {
				note(compiler.SourceMetadata{Path: below.Path, ID: stage.Identify(below.Path)})
			}
		}
	}
	return nil
}

// SayCovered tells what of the exposed folders the sandbox does not see.
func (s *Sandbox) SayCovered() error {
	table, err := stage.Mounts()
	if err != nil {
		return err
	}
	for _, m := range s.Manifest.Mounts {
		source := s.Host[m.Target]
		if source == nil {
			continue
		}
		for _, below := range table.Below(source.Real) {
			if below.Covered {
				s.Log(fmt.Sprintf("%s: %s (%s) is the kernel's own, and shown as empty", s.Name, below.Path, below.Kind))
			}
		}
	}
	return nil
}
