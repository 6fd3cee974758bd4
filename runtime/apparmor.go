package runtime

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/compiler/apparmor"
	"github.com/sbx-dev/sbx/internal/mac"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/hostfile"
	"github.com/sbx-dev/sbx/runtime/internal/qemu"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// thisHost is where AppArmor is asked.
const thisHost = mac.Host("/")

const appArmorModel = "apparmor"

// AppArmorConfines says whether libvirt confines sandboxes of the backend by
// AppArmor: the kernel has it, and libvirt its driver for it in use.
func (r *Runtime) AppArmorConfines(kind schema.Backend) (bool, error) {
	if !thisHost.Enabled() {
		return false, nil
	}
	conn, err := r.connect(kind)
	if err != nil {
		return false, err
	}
	return appArmorConfines(conn)
}

func appArmorConfines(conn *libvirt.Connect) (bool, error) {
	if !thisHost.Enabled() {
		return false, nil
	}
	model, err := conn.GetSecurityModel()
	if err != nil {
		return false, fmt.Errorf("cannot learn how libvirt confines: %w", virt.Plain(err))
	}
	return model.Model == appArmorModel, nil
}

// confine has the domain run in the bundle's own AppArmor profile where libvirt
// confines domains by AppArmor: libvirt then asks its virt-aa-helper for none, whose
// profiles allow more and which refuses what machines of sbx need. Elsewhere the
// domain is left as it is.
func (r *Runtime) confine(s *sandbox, conn *libvirt.Connect) error {
	confines, err := appArmorConfines(conn)
	if !confines || err != nil {
		return err
	}
	if s.profile == nil {
		return fault.New(diag.OtherVersion, "%s: the bundle has no %s: compile it again", s.name, compiler.AppArmorFile)
	}
	values, err := r.appArmorValues(s, conn)
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	s.confinement = apparmor.Bind(s.profile, values)
	s.domain.SecLabel = append(s.domain.SecLabel, libvirtxml.DomainSecLabel{
		Type: "static", Model: appArmorModel, Relabel: "no", Label: compiler.AppArmorName(s.name),
	})
	return nil
}

// appArmorValues are what the profile's variables stand for here.
func (r *Runtime) appArmorValues(s *sandbox, conn *libvirt.Connect) (map[apparmor.Variable]string, error) {
	folder, err := realPath(s.dir)
	if err != nil {
		return nil, err
	}
	values := map[apparmor.Variable]string{compiler.SandboxVariable: folder}
	if s.metadata.Machine == nil {
		return values, nil
	}
	text, err := conn.GetDomainCapabilities("", s.domain.OS.Type.Arch, s.domain.OS.Type.Machine, s.domain.Type, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot learn which QEMU libvirt runs: %w", virt.Plain(err))
	}
	found := new(libvirtxml.DomainCaps)
	if err := found.Unmarshal(text); err != nil {
		return nil, err
	}
	values[compiler.DomainsVariable], values[compiler.LogsVariable] = r.libvirtFolders(conn)
	values[compiler.EmulatorVariable], values[compiler.FirmwareVariable] = found.Path, QbootROM
	for v, path := range values {
		if values[v], err = realPath(path); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// realPath is where a path leads to, as the kernel sees it when it is opened; one
// whose end is not there yet is what it will be.
func realPath(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if !errors.Is(err, fs.ErrNotExist) || path == "/" {
		return real, err
	}
	dir, err := realPath(filepath.Dir(path))
	return filepath.Join(dir, filepath.Base(path)), err
}

// libvirtFolders are where the driver has a folder for each machine, and QEMU's logs.
func (r *Runtime) libvirtFolders(conn *libvirt.Connect) (domains, logs string) {
	if r.embed.is(conn) {
		return filepath.Join(r.embed.dir(), "lib/qemu"), filepath.Join(r.embed.dir(), "log/qemu")
	}
	return qemu.LibvirtFolder, "/var/log/libvirt/qemu"
}

// loadProfile has the kernel enforce the sandbox's profile, before it starts or
// while it runs, and keeps the text beside it, by which later changes are told.
func (s *sandbox) loadProfile() error {
	if s.confinement == nil {
		return nil
	}
	if err := s.enforceProfile(); err != nil {
		return err
	}
	return hostfile.WriteAtomic(profileFile(s.dir), s.confinement, 0o600)
}

func (s *sandbox) enforceProfile() error {
	err := mac.Load(s.confinement)
	if errors.Is(err, mac.ErrNoParser) {
		return fault.New(diag.AppArmor, "libvirt confines sandboxes here by AppArmor, and %w: apt install apparmor", err)
	}
	if err != nil {
		return fault.New(diag.AppArmor, "its AppArmor profile cannot be loaded: %w", err)
	}
	loaded, err := thisHost.Find(compiler.AppArmorName(s.name))
	if err != nil {
		return fault.Because(diag.AppArmor, err)
	}
	if loaded.Mode != mac.Enforcing {
		return fault.New(diag.AppArmor, "the kernel has its AppArmor profile in the mode %q, and not %q", loaded.Mode, mac.Enforcing)
	}
	return nil
}

// offerProfile has the kernel have the sandbox's profile where it has none of that
// name: libvirt defines no domain otherwise.
func (s *sandbox) offerProfile() error {
	if s.confinement == nil {
		return nil
	}
	loaded, err := thisHost.Find(compiler.AppArmorName(s.name))
	if err != nil || loaded.Mode != "" {
		return fault.Because(diag.AppArmor, err)
	}
	return s.enforceProfile()
}

// profileFile is where the text is kept.
func profileFile(dir string) string { return filepath.Join(dir, state.AppArmor) }

// unloadProfile takes the sandbox's profile from the kernel, where it has one. What
// ran in it must have ended: it would not be confined any more.
func unloadProfile(name string) error {
	if !thisHost.Enabled() || os.Geteuid() != 0 {
		return nil
	}
	profile := compiler.AppArmorName(name)
	loaded, err := thisHost.Find(profile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // where the kernel's policy is not mounted (securityfs) nobody has loaded any
	}
	if loaded == (mac.Loaded{}) || err != nil {
		return fault.Because(diag.AppArmor, err)
	}
	return fault.Because(diag.AppArmor, mac.Unload(profile))
}

// keptProfile is the profile that the sandbox was last confined by; nil for none.
func keptProfile(dir string) ([]byte, error) {
	text, err := os.ReadFile(profileFile(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

// isConfined says whether a domain is to run in the sandbox's profile.
func isConfined(d *libvirtxml.Domain, name string) bool {
	return slices.ContainsFunc(d.SecLabel, func(l libvirtxml.DomainSecLabel) bool {
		return l.Model == appArmorModel && l.Label == compiler.AppArmorName(name)
	})
}

// lookAtConfinement finds out what the kernel has of the sandbox's profile, and
// whether it is that profile that confines the sandbox.
func (o *observed) lookAtConfinement(dom *libvirt.Domain, kind schema.Backend) error {
	if !thisHost.Enabled() {
		return nil
	}
	d := new(libvirtxml.Domain)
	if err := d.Unmarshal(o.defined); err != nil || !isConfined(d, o.name) {
		return err
	}
	loaded, err := thisHost.Find(compiler.AppArmorName(o.name))
	if err != nil {
		return err
	}
	switch {
	case loaded.Mode == "":
		o.profile = "not loaded"
	case loaded.Mode == mac.Enforcing:
		o.profile = loaded.Digest
	default:
		o.profile = loaded.Mode + ", " + loaded.Digest
	}
	if o.active {
		o.loose = !runsIn(dom, o.name, kind, loaded)
	}
	return nil
}

// runsIn says whether the sandbox's process is in its profile. Where that cannot be
// seen, as of one that ends now, it is taken to be.
func runsIn(dom *libvirt.Domain, name string, kind schema.Backend, loaded mac.Loaded) bool {
	k := kindOf(kind)
	pid := k.first(k.process(dom, name))
	if pid == 0 {
		return true
	}
	label, err := thisHost.OfProcess(pid)
	return err != nil || label == fmt.Sprintf("%s (%s)", compiler.AppArmorName(name), loaded.Mode)
}

// firstChild is the only child that libvirt's controller of a container has: the
// container's first process.
func firstChild(pid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return 0
	}
	var child int
	if _, err := fmt.Sscan(string(bytes.TrimSpace(text)), &child); err != nil {
		return 0
	}
	return child
}
