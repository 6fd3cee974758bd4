package runtime

import (
	"fmt"
	"path/filepath"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/arch"
	"github.com/sbx-dev/sbx/internal/stage"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/qemu"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// sandbox is a bundle, read and bound to this host: what Up works with.
type sandbox struct {
	name     string
	backend  schema.Backend
	digest   string // of the bundle's index
	dir      string // its folder in the state folder
	domain   *libvirtxml.Domain
	metadata *compiler.Metadata
	manifest *manifest.Manifest
	filters  map[string][]byte        // documents by their names in libvirt
	networks map[string][]byte        // the same
	sources  map[string]schema.Secret // where the secrets\' values are found
	secrets  []channel.Secret         // once they have been read
	qemu     qemu.User                // of a machine
	arch     arch.Arch                // of a machine
	command  channel.Command          // what it is made for: the service's, or that of one Run
	profile  []byte                   // the bundle's for AppArmor

	// confinement is the AppArmor profile that it runs in here, bound to this host;
	// nil where libvirt does not confine by AppArmor.
	confinement []byte

	host map[string]*stage.Source // the host paths that it sees, by their targets, while they are open
	swap *stage.IDMap             // by which a machine's are mounted, while they are open
	kept []*stage.IDMap           // by which a container's are that keep the host's ids, the same
}

// bind reads a bundle and puts this host's state folder and the bundle's digest
// into its domain.
func (r *Runtime) bind(b *compiler.Bundle) (*sandbox, error) {
	if b.Index.Version != compiler.BundleVersion {
		return nil, fault.New(diag.OtherVersion, "the bundle is of version %d, and this sbx applies version %d: compile it again", b.Index.Version, compiler.BundleVersion)
	}
	if b.Index.Target != "" {
		return nil, fmt.Errorf("%s: the bundle is for %q, and this is libvirt: compile it without a target", b.Index.Name, b.Index.Target)
	}
	index, err := b.Index.Encode()
	if err != nil {
		return nil, err
	}
	kind, err := kindNamed(schema.Backend(b.Index.Backend))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", b.Index.Name, err)
	}
	s := &sandbox{
		name:    b.Index.Name,
		backend: kind.name,
		digest:  compiler.Digest(index),
		dir:     r.state().Path(b.Index.Name),
		domain:  new(libvirtxml.Domain),
		sources: b.Index.Secrets,
		profile: b.File(compiler.AppArmorFile),
	}
	if err := s.domain.Unmarshal(string(b.File("domain.xml"))); err != nil {
		return nil, fmt.Errorf("%s: domain.xml: %w", s.name, err)
	}
	if s.manifest, err = manifest.Decode(b.File("initrd.json")); err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	run := &s.manifest.Run
	s.command = channel.Command{Argv: run.Argv, Env: run.Env, Workdir: run.Workdir}
	s.filters, s.networks = documents(b, b.Index.Filters), documents(b, b.Index.Networks)
	if err := s.dropPlaceless(); err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	if err := s.stamp(); err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	s.rebase()
	return s, kind.bind(r, s)
}

// documents are the bundle's files that the index names, by what they define.
func documents(b *compiler.Bundle, names map[string]string) map[string][]byte {
	of := make(map[string][]byte, len(names))
	for name, file := range names {
		of[name] = b.File(file)
	}
	return of
}

// stamp notes in the domain's metadata which bundle it is from.
func (s *sandbox) stamp() (err error) {
	if s.domain.Metadata == nil {
		return fmt.Errorf("domain.xml holds no metadata of sbx")
	}
	if s.metadata, err = compiler.DecodeMetadata(s.domain.Metadata.XML); err != nil {
		return err
	}
	s.metadata.Bundle = s.digest
	s.domain.Metadata.XML, err = s.metadata.Encode()
	return err
}

// rebase moves the domain's paths from the canonical state folder to this
// host's.
func (s *sandbox) rebase() {
	canonical := filepath.Join(compiler.StateDir, s.name)
	if s.dir == canonical || s.domain.Devices == nil {
		return
	}
	for _, f := range s.domain.Devices.Filesystems {
		if f.Source != nil && f.Source.Mount != nil {
			f.Source.Mount.Dir = s.rebased(f.Source.Mount.Dir, canonical)
		}
	}
	s.rebaseMachine(canonical)
}

// base is the host's id of the sandbox's root.
func (s *sandbox) base() int {
	if s.domain.IDMap == nil || len(s.domain.IDMap.UIDs) == 0 {
		return 0
	}
	return int(s.domain.IDMap.UIDs[0].Target)
}
