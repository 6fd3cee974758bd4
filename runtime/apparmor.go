package runtime

import (
	"fmt"
	"path/filepath"

	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/compiler/apparmor"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/qemu"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// AppArmorConfines says whether libvirt confines sandboxes of the backend by
// AppArmor: the kernel has it, and libvirt its driver for it in use.
func (r *Runtime) AppArmorConfines(kind schema.Backend) (bool, error) {
	if !bound.ThisHost.Enabled() {
		return false, nil
	}
	conn, err := r.drivers.Connect(kind)
	if err != nil {
		return false, err
	}
	return appArmorConfines(conn)
}

func appArmorConfines(conn *libvirt.Connect) (bool, error) {
	if !bound.ThisHost.Enabled() {
		return false, nil
	}
	model, err := conn.GetSecurityModel()
	if err != nil {
		return false, fmt.Errorf("cannot learn how libvirt confines: %w", virt.Plain(err))
	}
	return model.Model == bound.AppArmorModel, nil
}

// confine has the domain run in the bundle's own AppArmor profile where libvirt
// confines domains by AppArmor: libvirt then asks its virt-aa-helper for none, whose
// profiles allow more and which refuses what machines of sbx need. Elsewhere the
// domain is left as it is.
func (r *Runtime) confine(s *bound.Sandbox, conn *libvirt.Connect) error {
	confines, err := appArmorConfines(conn)
	if !confines || err != nil {
		return err
	}
	if s.Profile == nil {
		return fault.New(diag.OtherVersion, "%s: the bundle has no %s: compile it again", s.Name, compiler.AppArmorFile)
	}
	values, err := r.appArmorValues(s, conn)
	if err != nil {
		return fmt.Errorf("%s: %w", s.Name, err)
	}
	s.Confinement = apparmor.Bind(s.Profile, values)
	s.Domain.SecLabel = append(s.Domain.SecLabel, libvirtxml.DomainSecLabel{
		Type: "static", Model: bound.AppArmorModel, Relabel: "no", Label: compiler.AppArmorName(s.Name),
	})
	return nil
}

// appArmorValues are what the profile's variables stand for here.
func (r *Runtime) appArmorValues(s *bound.Sandbox, conn *libvirt.Connect) (map[apparmor.Variable]string, error) {
	folder, err := bound.RealPath(s.Dir)
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
	values[compiler.DomainsVariable], values[compiler.LogsVariable] = r.libvirtFolders(conn)
	values[compiler.EmulatorVariable], values[compiler.FirmwareVariable] = found.Path, qemu.QbootROM
	for v, path := range values {
		if values[v], err = bound.RealPath(path); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// libvirtFolders are where the driver has a folder for each machine, and QEMU's logs.
func (r *Runtime) libvirtFolders(conn *libvirt.Connect) (domains, logs string) {
	if r.host.Embed.Is(conn) {
		return filepath.Join(r.host.Embed.Dir(), "lib/qemu"), filepath.Join(r.host.Embed.Dir(), "log/qemu")
	}
	return qemu.LibvirtFolder, "/var/log/libvirt/qemu"
}
