package bound

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
	"github.com/sbx-dev/sbx/runtime/internal/hostfile"
	"github.com/sbx-dev/sbx/schema/diag"
)

// ThisHost is where AppArmor is asked.
const ThisHost = mac.Host("/")

const AppArmorModel = "apparmor"

// RealPath is where a path leads to, as the kernel sees it when it is opened; one
// whose end is not there yet is what it will be.
func RealPath(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if !errors.Is(err, fs.ErrNotExist) || path == "/" {
		return real, err
	}
	dir, err := RealPath(filepath.Dir(path))
	return filepath.Join(dir, filepath.Base(path)), err
}

// LoadProfile has the kernel enforce the sandbox's profile, before it starts or
// while it runs, and keeps the text beside it, by which later changes are told.
func (s *Sandbox) LoadProfile() error {
	if s.Confinement == nil {
		return nil
	}
	if err := s.enforceProfile(); err != nil {
		return err
	}
	return hostfile.WriteAtomic(ProfileFile(s.Dir), s.Confinement, 0o600)
}

func (s *Sandbox) enforceProfile() error {
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

// OfferProfile has the kernel have the sandbox's profile where it has none of that
// name: libvirt defines no domain otherwise.
func (s *Sandbox) OfferProfile() error {
	if s.Confinement == nil {
		return nil
	}
	loaded, err := ThisHost.Find(compiler.AppArmorName(s.Name))
	if err != nil || loaded.Mode != "" {
		return fault.Because(diag.AppArmor, err)
	}
	return s.enforceProfile()
}

// ProfileFile is where the text is kept.
func ProfileFile(dir string) string { return filepath.Join(dir, state.AppArmor) }

// UnloadProfile takes the sandbox's profile from the kernel, where it has one. What
// ran in it must have ended: it would not be confined any more.
func UnloadProfile(name string) error {
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

// KeptProfile is the profile that the sandbox was last confined by; nil for none.
func KeptProfile(dir string) ([]byte, error) {
	text, err := os.ReadFile(ProfileFile(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

// IsConfined says whether a domain is to run in the sandbox's profile.
func IsConfined(d *libvirtxml.Domain, name string) bool {
	return slices.ContainsFunc(d.SecLabel, func(l libvirtxml.DomainSecLabel) bool {
		return l.Model == AppArmorModel && l.Label == compiler.AppArmorName(name)
	})
}
