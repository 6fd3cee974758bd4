package kernel_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/initramfs/boot/kernel"
)

// host lays out files below a new root.
func host(t *testing.T, files ...string) string {
	root := t.TempDir()
	for _, f := range files {
		path := filepath.Join(root, f)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, bzImage(nil), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestFind(t *testing.T) {
	for _, c := range []struct {
		name           string
		files          []string
		image, modules string // as asked for
		want           string // image and modules, relative to the root
	}{
		{"the newest in /boot", []string{
			"boot/vmlinuz-6.1.0-9", "lib/modules/6.1.0-9/modules.dep",
			"boot/vmlinuz-6.1.0-10", "lib/modules/6.1.0-10/modules.dep",
		}, "", "", "boot/vmlinuz-6.1.0-10 lib/modules/6.1.0-10"},
		{"beside its modules", []string{"usr/lib/modules/6.9.1/vmlinuz"}, "", "", "usr/lib/modules/6.9.1/vmlinuz usr/lib/modules/6.9.1"},
		{"not one without modules", []string{
			"boot/vmlinuz-7.0.0", "boot/vmlinuz-6.1.0", "lib/modules/6.1.0/modules.dep",
		}, "", "", "boot/vmlinuz-6.1.0 lib/modules/6.1.0"},
		{"a named image's own modules", []string{"srv/kernel", "lib/modules/6.1.0-test/modules.dep"},
			"srv/kernel", "", "srv/kernel lib/modules/6.1.0-test"},
		{"named modules", []string{"boot/vmlinuz-6.1.0", "lib/modules/6.1.0/modules.dep"},
			"", "/srv/modules", "boot/vmlinuz-6.1.0 /srv/modules"},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := host(t, c.files...)
			image := c.image
			if image != "" {
				image = filepath.Join(root, image)
			}
			k, err := kernel.Find(root, image, c.modules, "")
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.ReplaceAll(k.Image+" "+k.Modules, root+"/", ""); got != c.want {
				t.Errorf("found %s, want %s", got, c.want)
			}
		})
	}
}

func TestFindErrors(t *testing.T) {
	for _, c := range []struct {
		name  string
		files []string
		image string
		want  string
	}{
		{"nothing installed", nil, "", "machine.kernel"},
		{"a named image that is not there", nil, "srv/kernel", "no such file"},
		{"a named image without its modules", []string{"srv/kernel"}, "srv/kernel", "kernel 6.1.0-test has no module tree"},
	} {
		root := host(t, c.files...)
		image := c.image
		if image != "" {
			image = filepath.Join(root, image)
		}
		if _, err := kernel.Find(root, image, "", "x86_64"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", c.name, err, c.want)
		}
	}
}
