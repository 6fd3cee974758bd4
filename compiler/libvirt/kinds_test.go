package libvirt

import (
	"slices"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/compiler/bundle"
	"github.com/sbx-dev/sbx/compiler/libvirt/domain"
	"github.com/sbx-dev/sbx/compiler/resolve"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

type nowhere struct{}

func (nowhere) Pos(string) diag.Pos            { return diag.Pos{} }
func (nowhere) Origin(string) (diag.Pos, bool) { return diag.Pos{}, false }

// unknown is a kind of mount that there is none of.
const unknown = "hologram"

// refused are the kinds of mount that a kind of domain cannot have.
var refused = map[schema.Backend][]string{
	schema.LXC: {manifest.Image},
	schema.KVM: {manifest.Figures, manifest.Socket},
}

// own are those that the first process makes, so that no domain and no AppArmor
// profile speaks of them.
var own = map[schema.Backend][]string{
	schema.KVM: {manifest.Tmpfs, manifest.Inline},
}

// Every kind of mount goes through every kind of domain: it is in the domain and in
// what confines it, it is refused, or it is the first process's own. None is dropped
// in silence, least of all one that nobody has heard of.
func TestEveryMountIsLoweredOrRefused(t *testing.T) {
	for _, backend := range schema.Backends() {
		if !slices.ContainsFunc(kinds, func(k domain.Kind) bool { return k.Backend == backend }) {
			t.Errorf("libvirt has no kind of domain for the backend %q", backend)
		}
	}
	for _, kind := range kinds {
		for _, mount := range append(slices.Clone(manifest.MountKinds), unknown) {
			without, err := lowered(kind)
			if err != nil {
				t.Fatal(err)
			}
			m := manifest.Mount{Kind: mount, Target: "/a", Source: "/b", Tag: "c", Size: 1 << 20}
			if slices.Contains(own[kind.Backend], mount) {
				m.Tag = ""
			}
			with, err := lowered(kind, m)
			switch {
			case mount == unknown, slices.Contains(refused[kind.Backend], mount):
				if err == nil || !strings.Contains(err.Error(), mount) {
					t.Errorf("%s takes a mount of the kind %s: %v", kind.Backend, mount, err)
				}
				for what, confine := range map[string]func(*domain.Sandbox) ([]byte, error){"AppArmor": kind.AppArmor, "SELinux": kind.SELinux} {
					if _, err := confine(sandbox(t, kind, m)); err == nil {
						t.Errorf("%s confines a mount of the kind %s by %s", kind.Backend, mount, what)
					}
				}
			case err != nil:
				t.Errorf("%s, %s: %v", kind.Backend, mount, err)
			case slices.Contains(own[kind.Backend], mount):
				if with != without {
					t.Errorf("%s speaks of a mount of the kind %s", kind.Backend, mount)
				}
			case with[0] == without[0] || with[1] == without[1]:
				t.Errorf("%s drops a mount of the kind %s", kind.Backend, mount)
			}
		}
	}
}

// A backend that libvirt has no kind of domain for is refused by its name.
func TestUnknownBackendsAreRefused(t *testing.T) {
	s := sandbox(t, domain.Kind{Backend: "paper"})
	if err := Lower(s.Sandbox, new(bundle.Bundle)); err == nil || !strings.Contains(err.Error(), `"paper"`) {
		t.Errorf("got %v", err)
	}
}

func sandbox(t *testing.T, kind domain.Kind, mounts ...manifest.Mount) *domain.Sandbox {
	t.Helper()
	s, err := newSandbox(kind, mounts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newSandbox(kind domain.Kind, mounts []manifest.Mount) (*domain.Sandbox, error) {
	p := schema.Defaults()
	p.Name, p.Backend, p.Source = "p", kind.Backend, nowhere{}
	return domain.New(&resolve.Sandbox{Profile: p, Manifest: &manifest.Manifest{Mounts: mounts}})
}

// lowered are the domain and what confines it.
func lowered(kind domain.Kind, mounts ...manifest.Mount) (documents [2]string, err error) {
	s, err := newSandbox(kind, mounts)
	if err != nil {
		return documents, err
	}
	b := new(bundle.Bundle)
	if err := kind.Lower(s, b); err != nil {
		return documents, err
	}
	return [2]string{string(b.File("domain.xml")), string(b.File(domain.AppArmorFile))}, nil
}
