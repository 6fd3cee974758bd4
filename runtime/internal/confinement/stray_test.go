package confinement

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/internal/mac"
)

// A profile is nobody's that sbx alone calls so, and whose UUID neither a domain has nor
// a sandbox that runs; libvirt's own and an administrator's stay.
func TestStrays(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("root's: nobody else is told what AppArmor has")
	}
	host := t.TempDir()
	name := compiler.AppArmorName
	for file, text := range map[string]string{
		"sys/module/apparmor/parameters/enabled": "Y\n",
		"sys/kernel/security/apparmor/profiles": "libvirtd (enforce)\n" + name("gone") + " (enforce)\n" + name("there") + " (enforce)\n" + name("runs") + " (complain)\n" +
			"libvirt-1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed (enforce)\nlibvirt-5 (enforce)\n/usr/bin/man (enforce)\n" + name("gone") + "//child (enforce)\n",
	} {
		at := filepath.Join(host, file)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	domains := []string{name("there")[len(profilePrefix):]}
	got, err := Strays(mac.Host(host), domains, []string{"runs"})
	if want := []string{name("gone")}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q (%v), want %q", got, err, want)
	}
}
