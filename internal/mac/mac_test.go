package mac_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/sbx-dev/sbx/internal/mac"
)

// hostWith is a host whose files are these.
func hostWith(t *testing.T, files map[string]string) mac.Host {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o444); err != nil {
			t.Fatal(err)
		}
	}
	return mac.Host(root)
}

const folder = "sys/kernel/security/apparmor/"

// What Debian 12's kernel shows, with a name that begins as another one does.
func TestAProfileIsFoundAsTheKernelHasIt(t *testing.T) {
	h := hostWith(t, map[string]string{
		folder + "profiles":                             "libvirtd (enforce)\nlibvirt-1 (complain)\nlibvirt-12 (enforce)\n",
		folder + "policy/profiles/libvirt-12.7/name":    "libvirt-12\n",
		folder + "policy/profiles/libvirt-12.7/sha1":    "aaaa\n",
		folder + "policy/profiles/libvirt-1.3/name":     "libvirt-1\n",
		folder + "policy/profiles/libvirt-1.3/sha1":     "bbbb\n",
		folder + "policy/profiles/libvirt-1.3/raw_sha1": "cccc\n",
		"sys/module/apparmor/parameters/enabled":        "Y\n",
		"proc/7/attr/apparmor/current":                  "libvirt-12 (enforce)\n",
		"proc/8/attr/current":                           "unconfined\n",
	})
	for name, want := range map[string]mac.Loaded{
		"libvirt-1":  {Mode: "complain", Digest: "sha1:cccc"},
		"libvirt-12": {Mode: mac.Enforcing, Digest: "sha1:aaaa"},
		"libvirt-":   {},
	} {
		if got, err := h.Find(name); got != want || err != nil {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for pid, want := range map[int]string{7: "libvirt-12 (enforce)", 8: "unconfined"} {
		if got, err := h.OfProcess(pid); got != want || err != nil {
			t.Errorf("%d: %q, %v", pid, got, err)
		}
	}
	if !h.Enabled() || hostWith(t, nil).Enabled() {
		t.Error("whether AppArmor is on")
	}
}
