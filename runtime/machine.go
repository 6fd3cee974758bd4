package runtime

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/initramfs"
	"github.com/sbx-dev/sbx/schema"
)

// QbootROM is a firmware that does no more than start a kernel (package
// qemu-system-data); SeaBIOS takes a tenth of a second or more longer.
const QbootROM = "/usr/share/qemu/qboot.rom"

// bindMachine fits a machine's domain to this host: its accelerator, its
// firmware, the user that QEMU runs as, and the exports of single files.
func (r *Runtime) bindMachine(s *sandbox) error {
	if s.metadata.Machine == nil {
		return fmt.Errorf("%s: domain.xml is a machine's, but its metadata is not: compile it again", s.name)
	}
	accel, err := r.chooseAccel(s.metadata.Machine.Accel)
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	if accel == AccelTCG {
		emulate(s.domain)
	}
	if _, err := os.Stat(QbootROM); err == nil {
		s.domain.OS.Loader = &libvirtxml.DomainLoader{Path: QbootROM, Type: "rom"}
	}
	if err := s.chooseUser(accel); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	if err := s.bindExports(); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
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
	if isInside(path, canonical) {
		return s.dir + strings.TrimPrefix(path, canonical)
	}
	return path
}

// bindExports finds out which exported host paths are single files: QEMU exports
// folders only, so each of those gets a folder of its own.
func (s *sandbox) bindExports() error {
	exports := map[string]*libvirtxml.DomainFilesystem{}
	for i := range s.domain.Devices.Filesystems {
		f := &s.domain.Devices.Filesystems[i]
		if f.Source == nil || f.Source.Mount == nil || f.Target == nil {
			return fmt.Errorf("domain.xml has an export without a source or target: compile it again")
		}
		exports[f.Target.Dir] = f
	}
	for i := range s.manifest.Mounts {
		m := &s.manifest.Mounts[i]
		if m.Kind != initramfs.Export {
			continue
		}
		f := exports[m.Tag]
		if f == nil || f.Source.Mount.Dir != m.Source {
			return fmt.Errorf("domain.xml and initrd.json disagree on %s: compile it again", m.Source)
		}
		info, err := os.Stat(m.Source)
		if os.IsNotExist(err) && m.Writable {
			continue // a folder, which prepare makes
		}
		if err != nil {
			return fmt.Errorf("%s is exposed: %w", m.Source, err)
		}
		if !info.IsDir() {
			m.Single = true
			f.Source.Mount.Dir = s.singleDir(*m)
		}
	}
	return nil
}

// singleDir is the folder that QEMU exports for a single file.
func (s *sandbox) singleDir(m initramfs.Mount) string {
	return filepath.Join(s.dir, exportsDir, m.Tag)
}

// prepareMount sees to it that QEMU can use what the mount names on the host.
func (s *sandbox) prepareMount(m initramfs.Mount) error {
	switch m.Kind {
	case initramfs.Image:
		return s.qemu.mayUse(m.Source, m.Writable)
	case initramfs.Export:
		if m.Writable {
			if err := s.prepareMachineWritable(m); err != nil {
				return err
			}
		}
		if m.Single {
			return s.placeSingle(m)
		}
	}
	return nil
}

// prepareMachineWritable makes a writable host folder that is missing, for
// QEMU's user, which alone writes in it.
func (s *sandbox) prepareMachineWritable(m initramfs.Mount) error {
	if _, err := os.Stat(m.Source); !os.IsNotExist(err) {
		return s.qemu.mayUse(m.Source, true)
	}
	if err := mkdirAll(m.Source); err != nil {
		return err
	}
	if s.qemu.own {
		return nil
	}
	return setOwner(m.Source, s.qemu.uid, s.qemu.gid, 0o755)
}

// machineWrites says whether this is a machine that can write to the host, and
// so may hold what is not yet written there.
func (s *sandbox) machineWrites() bool {
	return s.backend == schema.KVM && slices.ContainsFunc(s.manifest.Mounts, func(m initramfs.Mount) bool { return m.Writable })
}
