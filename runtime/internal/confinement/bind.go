// Package confinement has sandboxes run in AppArmor profiles of their own, where libvirt
// confines by AppArmor, and in contexts of their own where it does by SELinux.
package confinement

import (
	"fmt"
	"path/filepath"
	"slices"

	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/compiler/apparmor"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/embed"
	"github.com/sbx-dev/sbx/runtime/internal/qemu"
	"github.com/sbx-dev/sbx/runtime/internal/selinux"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Holds says whether libvirt confines its domains by AppArmor: the kernel has it, and
// libvirt its driver for it in use.
func Holds(conn *libvirt.Connect) (bool, error) {
	if !ThisHost.Enabled() {
		return false, nil
	}
	found, err := conn.GetSecurityModel()
	if err != nil {
		return false, fmt.Errorf("cannot learn how libvirt confines: %w", virt.Plain(err))
	}
	return found.Model == model, nil
}

// Bind has the domain run in a SELinux context or an AppArmor profile of its own.
func Bind(s *bound.Sandbox, conn *libvirt.Connect, own *embed.Driver) error {
	want := selinux.Wanted{
		Name: s.Name, Shared: s.SELinux, Policy: s.Policy,
		Seen:   readOnly(s.Manifest, manifest.Export, manifest.Image),
		Images: readOnly(s.Manifest, manifest.Image),
	}
	var err error
	if s.Module, err = selinux.Label(conn, s.Domain, want); err != nil {
		return err
	}
	if err := bindProfile(s, conn, own); err != nil {
		return err
	}
	if s.MAC == schema.MACRequired && !Confines(s) {
		return fault.New(diag.AppArmor, "%s: its profile has mac: %q, and neither AppArmor nor SELinux confines sandboxes of libvirt's here: sbx doctor says what is missing", s.Name, s.MAC)
	}
	return nil
}

// Confines says whether AppArmor, or SELinux that enforces, is a wall of a sandbox that
// Bind has bound.
func Confines(s *bound.Sandbox) bool {
	return s.Confinement != nil || selinux.Of(s.Domain) != "" && ThisHost.SELinuxEnforces()
}

// readOnly are the paths of the host that the sandbox has as such kinds, and does not
// write.
func readOnly(m *manifest.Manifest, kinds ...string) (paths []string) {
	for _, mount := range m.Mounts {
		if slices.Contains(kinds, mount.Kind) && !mount.Writable {
			paths = append(paths, mount.Source)
		}
	}
	return paths
}

// bindProfile has the domain run in the bundle's own AppArmor profile where libvirt
// confines domains by AppArmor: libvirt then asks its virt-aa-helper for none, whose
// profiles allow more and which refuses what machines of sbx need. So does a machine
// of the embedded driver where libvirt's daemon would confine it, whatever that driver
// does: [Start] sees to it. Elsewhere the domain is left as it is.
func bindProfile(s *bound.Sandbox, conn *libvirt.Connect, own *embed.Driver) error {
	driver, err := Holds(conn)
	confines := driver
	if err == nil && !driver && own.Is(conn) {
		confines, err = daemonsConfine()
	}
	if !confines || err != nil {
		return err
	}
	if s.MAC == schema.MACNone {
		if driver { // else libvirt asks its own helper
			s.Domain.SecLabel = append(s.Domain.SecLabel, libvirtxml.DomainSecLabel{Type: "none", Model: model})
		}
		return nil
	}
	if s.Profile == nil {
		return fault.New(diag.OtherVersion, "%s: the bundle has no %s: compile it again", s.Name, compiler.AppArmorFile)
	}
	values, err := valuesFor(s, conn, own)
	if err != nil {
		return fmt.Errorf("%s: %w", s.Name, err)
	}
	s.Confinement = apparmor.Bind(s.Profile, values)
	if !driver {
		return nil
	}
	s.Domain.SecLabel = append(s.Domain.SecLabel, libvirtxml.DomainSecLabel{
		Type: "static", Model: model, Relabel: "no", Label: compiler.AppArmorName(s.Name),
	})
	return nil
}

// valuesFor are what the profile's variables stand for here.
func valuesFor(s *bound.Sandbox, conn *libvirt.Connect, own *embed.Driver) (map[apparmor.Variable]string, error) {
	folder, err := realPath(s.Dir)
	if err != nil {
		return nil, err
	}
	values := map[apparmor.Variable]string{compiler.SandboxVariable: folder}
	if s.Metadata.Machine == nil {
		return values, nil
	}
	text, err := conn.GetDomainCapabilities("", s.Domain.OS.Type.Arch, s.Domain.OS.Type.Machine, s.Domain.Type, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot learn which QEMU libvirt runs: %w", virt.Plain(err))
	}
	found := new(libvirtxml.DomainCaps)
	if err := found.Unmarshal(text); err != nil {
		return nil, err
	}
	values[compiler.DomainsVariable], values[compiler.LogsVariable] = libvirtFolders(conn, own)
	values[compiler.EmulatorVariable], values[compiler.FirmwareVariable] = found.Path, qemu.QbootROM
	for v, path := range values {
		if values[v], err = realPath(path); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// libvirtFolders are where the driver has a folder for each machine, and QEMU's logs.
func libvirtFolders(conn *libvirt.Connect, own *embed.Driver) (domains, logs string) {
	if own.Is(conn) {
		return filepath.Join(own.Dir(), "lib/qemu"), filepath.Join(embed.Logs(own.Dir()), "qemu")
	}
	return qemu.LibvirtFolder, "/var/log/libvirt/qemu"
}
