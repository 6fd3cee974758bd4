package bound

import (
	"fmt"
	"path/filepath"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/compiler/firewall/nftables"
	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/arch"
	"github.com/sbx-dev/sbx/internal/stage"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/qemu"
	"github.com/sbx-dev/sbx/runtime/internal/settings"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Sandbox is a bundle, read and bound to this host: what Up works with.
type Sandbox struct {
	Name     string
	Backend  schema.Backend
	Digest   string // of the bundle's index
	Dir      string // its folder in the state folder
	Domain   *libvirtxml.Domain
	Metadata *compiler.Metadata
	Manifest *manifest.Manifest
	Filters  map[string][]byte          // documents by their names in libvirt
	Walls    map[string]*nftables.Table // the inner walls behind filters that are outer ones, by the filters' names
	Networks map[string][]byte          // the same
	sources  map[string]schema.Secret   // where the secrets' values are found
	secrets  []channel.Secret           // once they have been read
	QEMU     qemu.User                  // of a machine
	Arch     arch.Arch                  // of a machine
	Command  channel.Command            // what it is made for: the service's, or that of one Run
	Profile  []byte                     // the bundle's for AppArmor

	// FilterAlone is why filters enforce their rules alone that were to have an inner wall
	// behind them; nil where that is of none.
	FilterAlone error

	Job bool // it is to run now, though its schedule has it stopped between its runs

	Log func(line string) // is told, in a few words a line, what a person should know

	// Confinement is the AppArmor profile that it runs in here, bound to this host;
	// nil where libvirt does not confine by AppArmor.
	Confinement []byte

	MAC     schema.MAC // what of the host's is to confine it
	SELinux string     // its processes' type in sbx's module of SELinux's policy, where it has none of its own; "" is libvirt's
	Policy  []byte     // the bundle's for SELinux; nil: it has none
	Module  []byte     // the same, bound to this host; nil where libvirt does not confine by SELinux

	Host map[string]*stage.Source // the host paths that it sees, by their targets, while they are open
	Swap *stage.IDMap             // by which a machine's are mounted, while they are open
	Kept []*stage.IDMap           // by which a container's are that keep the host's ids, the same
}

// Read reads a bundle and puts this host's state folder and the bundle's digest
// into its domain.
func Read(b *compiler.Bundle, folder state.Folder, of settings.Host, log func(line string)) (*Sandbox, error) {
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
	s := &Sandbox{
		Name:    b.Index.Name,
		Backend: schema.Backend(b.Index.Backend),
		Digest:  compiler.Digest(index),
		Dir:     folder.Path(b.Index.Name),
		Domain:  new(libvirtxml.Domain),
		sources: b.Index.Secrets,
		Profile: b.File(compiler.AppArmorFile),
		Policy:  b.File(compiler.SELinuxFile),
		MAC:     b.Index.MAC,
		Log:     log,
	}
	if err := s.Domain.Unmarshal(string(b.File("domain.xml"))); err != nil {
		return nil, fmt.Errorf("%s: domain.xml: %w", s.Name, err)
	}
	if s.Manifest, err = manifest.Decode(b.File("initrd.json")); err != nil {
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	run := &s.Manifest.Run
	s.Command = channel.Command{Argv: run.Argv, Env: run.Env, Workdir: run.Workdir}
	s.Filters, s.Networks = documents(b, b.Index.Filters), documents(b, b.Index.Networks)
	if err := s.bindWalls(b, of.Firewall); err != nil {
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	if err := s.dropPlaceless(); err != nil {
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	if err := s.stamp(); err != nil {
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	s.rebase()
	return s, nil
}

// Rests says whether the sandbox is left stopped, for its timer to start it.
func (s *Sandbox) Rests() bool { return s.Metadata.Every != "" && !s.Job }

// documents are the bundle's files that the index names, by what they define.
func documents(b *compiler.Bundle, names map[string]string) map[string][]byte {
	of := make(map[string][]byte, len(names))
	for name, file := range names {
		of[name] = b.File(file)
	}
	return of
}

// stamp notes in the domain's metadata which bundle it is from.
func (s *Sandbox) stamp() (err error) {
	if s.Domain.Metadata == nil {
		return fmt.Errorf("domain.xml holds no metadata of sbx")
	}
	if s.Metadata, err = compiler.DecodeMetadata(s.Domain.Metadata.XML); err != nil {
		return err
	}
	s.Metadata.Bundle = s.Digest
	s.Domain.Metadata.XML, err = s.Metadata.Encode()
	return err
}

// rebase moves the domain's paths from the canonical state folder to this
// host's.
func (s *Sandbox) rebase() {
	canonical := filepath.Join(compiler.StateDir, s.Name)
	if s.Dir == canonical || s.Domain.Devices == nil {
		return
	}
	for _, f := range s.Domain.Devices.Filesystems {
		if f.Source != nil && f.Source.Mount != nil {
			f.Source.Mount.Dir = s.rebased(f.Source.Mount.Dir, canonical)
		}
	}
	s.rebaseMachine(canonical)
}

// Base is the host's id of the sandbox's root.
func (s *Sandbox) Base() int {
	if s.Domain.IDMap == nil || len(s.Domain.IDMap.UIDs) == 0 {
		return 0
	}
	return int(s.Domain.IDMap.UIDs[0].Target)
}
