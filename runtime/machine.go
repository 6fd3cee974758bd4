package runtime

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/arch"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/internal/within"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema/diag"
)

// QbootROM is a firmware for x86_64 that does no more than start a kernel (package
// qemu-system-data); SeaBIOS takes a tenth of a second or more longer.
const QbootROM = "/usr/share/qemu/qboot.rom"

// bindMachine fits a machine's domain to this host: its accelerator, its
// firmware, the user that QEMU runs as, and the exports of single files.
func (r *Runtime) bindMachine(s *sandbox) error {
	if s.metadata.Machine == nil {
		return fault.New(diag.OtherVersion, "%s: domain.xml is a machine's, but its metadata is not: compile it again", s.name)
	}
	if err := s.bindArch(); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	accel, err := r.chooseAccel(s.metadata.Machine.Accel, s.arch)
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	if accel == AccelTCG {
		emulate(s.domain)
	}
	if _, err := os.Stat(QbootROM); err == nil && s.arch.Name == arch.X86 {
		s.domain.OS.Loader = &libvirtxml.DomainLoader{Path: QbootROM, Type: "rom"}
	}
	if err := s.chooseUser(accel); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	if err := s.bindExports(); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	if staged() {
		s.stageImages()
	}
	return nil
}

// rebaseMachine moves the paths that only a machine's domain has from the
// canonical state folder to this host's.
func (s *sandbox) rebaseMachine(canonical string) {
	if s.domain.OS != nil {
		for _, p := range []*string{&s.domain.OS.Kernel, &s.domain.OS.Initrd} {
			*p = s.rebased(*p, canonical)
		}
	}
	for _, c := range s.domain.Devices.Channels {
		if c.Source != nil && c.Source.UNIX != nil {
			c.Source.UNIX.Path = s.rebased(c.Source.UNIX.Path, canonical)
		}
	}
}

func (s *sandbox) rebased(path, canonical string) string {
	if within.Dir(path, canonical) {
		return s.dir + strings.TrimPrefix(path, canonical)
	}
	return path
}

// bindExports has the domain name each export where it will be, and finds out which
// host paths are single files: QEMU exports folders only, so each of those gets a
// folder of its own.
func (s *sandbox) bindExports() error {
	exports := map[string]*libvirtxml.DomainFilesystem{}
	for i := range s.domain.Devices.Filesystems {
		f := &s.domain.Devices.Filesystems[i]
		if f.Source == nil || f.Source.Mount == nil || f.Target == nil {
			return fault.New(diag.OtherVersion, "domain.xml has an export without a source or target: compile it again")
		}
		exports[f.Target.Dir] = f
	}
	for i := range s.manifest.Mounts {
		m := &s.manifest.Mounts[i]
		if m.Kind != manifest.Export {
			continue
		}
		f := exports[m.Tag]
		if f == nil || f.Source.Mount.Dir != m.Source {
			return fault.New(diag.OtherVersion, "domain.xml and initrd.json disagree on %s: compile it again", m.Source)
		}
		info, err := os.Stat(m.Source)
		if isVolume(*m) { // prepare makes it, and the file is not what the machine sees
			info, err = nil, os.ErrNotExist
		}
		missing := os.IsNotExist(err) && m.Writable // a folder, which prepare makes
		if err != nil && !missing {
			return exposed(*m, err)
		}
		m.Single = !missing && !info.IsDir()
		switch {
		case staged():
			f.Source.Mount.Dir = filepath.Join(s.stageDir(), m.Tag)
		case m.Single:
			f.Source.Mount.Dir = s.singleDir(*m)
		}
	}
	return nil
}

// stageImages has the domain name the images on the stage.
func (s *sandbox) stageImages() {
	for _, d := range s.domain.Devices.Disks {
		if d.Source != nil && d.Source.File != nil {
			d.Source.File.File = filepath.Join(s.stageDir(), state.StageImages, d.Serial)
		}
	}
}

// singleDir is the folder that QEMU exports for a single file.
func (s *sandbox) singleDir(m manifest.Mount) string {
	return filepath.Join(s.dir, state.Exports, m.Tag)
}

// checkQEMU refuses host paths that QEMU's user may not use, as far as a machine
// could not start with them or could not write: what in a folder it may read is the
// folder's own to say.
func (s *sandbox) checkQEMU() error {
	for _, m := range s.manifest.Mounts {
		if !isOfHost(m) || m.Single && !m.Writable {
			continue
		}
		source := s.host[m.Target]
		err := source.Allows(s.qemu.UID, s.qemu.GID, m.Writable)
		if errors.Is(err, unix.EACCES) {
			best, err := s.ownerOf(m)
			return errors.Join(err, mayNot(s.qemu, source, m.Writable, best))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// machineWrites says whether this is a machine that can write to the host, and
// so may hold what is not yet written there.
func (s *sandbox) machineWrites() bool {
	return kindOf(s.backend).holdsBack && slices.ContainsFunc(s.manifest.Mounts, func(m manifest.Mount) bool { return m.Writable })
}
