package kvm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/arch"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/kinds"
	"github.com/sbx-dev/sbx/runtime/internal/qemu"
	"github.com/sbx-dev/sbx/schema/diag"
)

// bindHere is bind, and notes the kernel that the host gives a machine whose profile names
// none: a restart, which has only what is noted, takes the same.
func bindHere(h *kinds.Host, s *bound.Sandbox) error {
	if err := bind(s, h.Accel); err != nil {
		return err
	}
	if m := s.Metadata.Machine; m.Kernel == "" && m.Modules == "" {
		m.Kernel, m.Modules = h.Kernel, h.Modules
	}
	return nil
}

// bind fits a machine's domain to this host: its accelerator, its
// firmware, the user that QEMU runs as, and the exports of single files. forced is the
// accelerator that overrules what its profile says; "" is none.
func bind(s *bound.Sandbox, forced string) error {
	if s.Metadata.Machine == nil {
		return fault.New(diag.OtherVersion, "%s: domain.xml is a machine's, but its metadata is not: compile it again", s.Name)
	}
	tellOfMemory(s)
	if err := bindArch(s); err != nil {
		return fmt.Errorf("%s: %w", s.Name, err)
	}
	accel, err := chooseAccel(s, forced)
	if err != nil {
		return fmt.Errorf("%s: %w", s.Name, err)
	}
	if accel == qemu.AccelTCG {
		emulate(s.Domain)
	}
	if _, err := os.Stat(qemu.QbootROM); err == nil && s.Arch.Name == arch.X86 {
		s.Domain.OS.Loader = &libvirtxml.DomainLoader{Path: qemu.QbootROM, Type: "rom"}
	}
	if err := chooseUser(s, accel); err != nil {
		return fmt.Errorf("%s: %w", s.Name, err)
	}
	if err := bindExports(s); err != nil {
		return fmt.Errorf("%s: %w", s.Name, err)
	}
	if bound.Staged() {
		stageImages(s)
	}
	return nil
}

// bindExports has the domain name each export where it will be, and finds out which
// host paths are single files: QEMU exports folders only, so each of those gets a
// folder of its own.
func bindExports(s *bound.Sandbox) error {
	exports := map[string]*libvirtxml.DomainFilesystem{}
	for i := range s.Domain.Devices.Filesystems {
		f := &s.Domain.Devices.Filesystems[i]
		if f.Source == nil || f.Source.Mount == nil || f.Target == nil {
			return fault.New(diag.OtherVersion, "domain.xml has an export without a source or target: compile it again")
		}
		exports[f.Target.Dir] = f
	}
	for i := range s.Manifest.Mounts {
		m := &s.Manifest.Mounts[i]
		if m.Kind != manifest.Export {
			continue
		}
		f := exports[m.Tag]
		if f == nil || f.Source.Mount.Dir != m.Source {
			return fault.New(diag.OtherVersion, "domain.xml and initrd.json disagree on %s: compile it again", m.Source)
		}
		info, err := os.Stat(m.Source)
		if bound.IsVolume(*m) { // prepare makes it, and the file is not what the machine sees
			info, err = nil, os.ErrNotExist
		}
		missing := os.IsNotExist(err) && m.Writable // a folder, which prepare makes
		if err != nil && !missing {
			return bound.Exposed(*m, err)
		}
		m.Single = !missing && !info.IsDir()
		switch {
		case bound.Staged():
			f.Source.Mount.Dir = filepath.Join(s.StageDir(), m.Tag)
		case m.Single:
			f.Source.Mount.Dir = singleDir(s, *m)
		}
	}
	return nil
}

// stageImages has the domain name the images on the stage.
func stageImages(s *bound.Sandbox) {
	for _, d := range s.Domain.Devices.Disks {
		if d.Source != nil && d.Source.File != nil {
			d.Source.File.File = filepath.Join(s.StageDir(), state.StageImages, d.Serial)
		}
	}
}

// singleDir is the folder that QEMU exports for a single file.
func singleDir(s *bound.Sandbox, m manifest.Mount) string {
	return filepath.Join(s.Dir, state.Exports, m.Tag)
}

// checkQEMU refuses host paths that QEMU's user may not use, as far as a machine
// could not start with them or could not write: what in a folder it may read is the
// folder's own to say.
func checkQEMU(s *bound.Sandbox) error {
	for _, m := range s.Manifest.Mounts {
		if !bound.IsOfHost(m) || m.Single && !m.Writable {
			continue
		}
		source := s.Host[m.Target]
		err := source.Allows(s.QEMU.UID, s.QEMU.GID, m.Writable)
		if errors.Is(err, unix.EACCES) {
			best, err := ownerOf(s, m)
			return errors.Join(err, mayNot(s.QEMU, source, m.Writable, best))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
