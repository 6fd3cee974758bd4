package confinement

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/internal/mac"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/hostfile"
	"github.com/sbx-dev/sbx/runtime/internal/selinux"
	"github.com/sbx-dev/sbx/schema/diag"
)

// ThisHost is where AppArmor is asked.
const ThisHost = mac.Host("/")

// model is libvirt's name of AppArmor.
const model = "apparmor"

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

// Load has the kernel enforce the sandbox's profile, before it starts or
// while it runs, and keeps the text beside it, by which later changes are told.
func Load(s *bound.Sandbox) error {
	if s.Confinement == nil {
		return nil
	}
	if err := enforce(s); err != nil {
		return err
	}
	return hostfile.WriteAtomic(File(s.Dir), s.Confinement, 0o600)
}

func enforce(s *bound.Sandbox) error {
	err := mac.Load(s.Confinement)
	if errors.Is(err, mac.ErrNoParser) {
		return fault.New(diag.AppArmor, "libvirt confines sandboxes here by AppArmor, and %w: apt install apparmor", err)
	}
	if err != nil {
		return fault.New(diag.AppArmor, "its AppArmor profile cannot be loaded: %w", err)
	}
	loaded, err := ThisHost.Find(compiler.AppArmorName(s.Name))
	if err != nil {
		return fault.Because(diag.AppArmor, err)
	}
	if loaded.Mode != mac.Enforcing {
		return fault.New(diag.AppArmor, "the kernel has its AppArmor profile in the mode %q, and not %q", loaded.Mode, mac.Enforcing)
	}
	return nil
}

// Offer has the kernel have the sandbox's types, and its profile where it has none of
// that name: libvirt defines no domain otherwise.
func Offer(s *bound.Sandbox) error {
	if err := selinux.Load(map[string][]byte{s.Name: s.Module}); err != nil {
		return err
	}
	if s.Confinement == nil {
		return nil
	}
	loaded, err := ThisHost.Find(compiler.AppArmorName(s.Name))
	if err != nil || loaded.Mode != "" {
		return fault.Because(diag.AppArmor, err)
	}
	return enforce(s)
}

// File is where the text is kept.
func File(dir string) string { return filepath.Join(dir, state.AppArmor) }

// Unload takes the sandbox's profile from the kernel, and its types, where it has them.
// What ran in them must have ended: it would not be confined any more.
func Unload(name string) error {
	_, err := selinux.Unload(name)
	return errors.Join(unloadProfile(name), err)
}

func unloadProfile(name string) error {
	if !ThisHost.Enabled() || os.Geteuid() != 0 {
		return nil
	}
	profile := compiler.AppArmorName(name)
	loaded, err := ThisHost.Find(profile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // where the kernel's policy is not mounted (securityfs) nobody has loaded any
	}
	if loaded == (mac.Loaded{}) || err != nil {
		return fault.Because(diag.AppArmor, err)
	}
	return fault.Because(diag.AppArmor, mac.Unload(profile))
}

// Kept is the profile that the sandbox was last confined by; nil for none.
func Kept(dir string) ([]byte, error) {
	text, err := os.ReadFile(File(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

// Is says whether a domain is to run in the sandbox's profile.
func Is(d *libvirtxml.Domain, name string) bool {
	return slices.ContainsFunc(d.SecLabel, func(l libvirtxml.DomainSecLabel) bool {
		return l.Model == model && l.Label == compiler.AppArmorName(name)
	})
}
