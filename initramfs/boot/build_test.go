package boot_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/initramfs/boot"
	"github.com/sbx-dev/sbx/initramfs/boot/cache"
	"github.com/sbx-dev/sbx/initramfs/boot/kernel"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/guestkernel"
)

var small = &manifest.Manifest{
	Version: manifest.Version,
	Name:    "test",
	Modules: []manifest.Module{
		{Name: "virtio_pci", For: "every machine"},
		{Name: "9pnet_virtio", For: `expose "/usr"`},
		{Name: "9p", For: `expose "/usr"`},
	},
}

// builder builds from Debian's kernel, with a cache of its own.
func builder(t *testing.T) *boot.Builder {
	t.Helper()
	image, modules := guestkernel.Get(t)
	c, err := cache.Open(filepath.Join(t.TempDir(), "cache"), 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	init := filepath.Join(t.TempDir(), "sbx-init")
	if err := os.WriteFile(init, []byte("an init"), 0o755); err != nil {
		t.Fatal(err)
	}
	return &boot.Builder{Kernel: &kernel.Kernel{Image: image, Modules: modules}, Init: init, Cache: c}
}

func TestInitrdIsReproducible(t *testing.T) {
	var built [2][]byte
	for i := range built {
		dest := filepath.Join(t.TempDir(), "initrd")
		if err := builder(t).PlaceInitrd(t.Context(), small, dest); err != nil {
			t.Fatal(err)
		}
		var err error
		if built[i], err = os.ReadFile(dest); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(built[0], built[1]) {
		t.Error("the same manifest, kernel and init gave two different initrds")
	}
	order := []string{"virtio_ring.ko", "virtio.ko", "virtio_pci.ko", "9pnet.ko", "9pnet_virtio.ko", "9p.ko", "TRAILER!!!"}
	at := 0
	for _, name := range order {
		i := bytes.Index(built[0][at:], []byte("-"+name+"\x00"))
		if name == "TRAILER!!!" {
			i = bytes.Index(built[0][at:], []byte(name))
		}
		if i < 0 {
			t.Fatalf("%s is missing, or before what it depends on", name)
		}
		at += i
	}
}

func TestKernelIsUnpacked(t *testing.T) {
	dest := filepath.Join(t.TempDir(), "vmlinux")
	notice, err := builder(t).PlaceKernel(t.Context(), dest)
	if err != nil || notice != "" {
		t.Fatalf("PlaceKernel: %q, %v", notice, err)
	}
	if head, _ := os.ReadFile(dest); !bytes.HasPrefix(head, []byte("\x7fELF")) {
		t.Error("what was placed is not an ELF file")
	}
}

func TestMissingModuleNamesWhatNeedsIt(t *testing.T) {
	b := builder(t)
	m := *small
	m.Modules = append(m.Modules[:2:2], manifest.Module{Name: "no-such", For: `mounts."/data".image`})
	err := b.PlaceInitrd(t.Context(), &m, filepath.Join(t.TempDir(), "initrd"))
	if err == nil || !strings.Contains(err.Error(), `mounts."/data".image`) || !strings.Contains(err.Error(), "no_such") {
		t.Errorf("PlaceInitrd = %v", err)
	}
}

func TestTruncatedKernel(t *testing.T) {
	b := builder(t)
	whole, err := os.ReadFile(b.Kernel.Image)
	if err != nil {
		t.Fatal(err)
	}
	b.Kernel.Image = filepath.Join(t.TempDir(), "vmlinuz")
	if err := os.WriteFile(b.Kernel.Image, whole[:len(whole)/2], 0o644); err != nil {
		t.Fatal(err)
	}
	dest := filepath.Join(t.TempDir(), "vmlinux")
	if _, err := b.PlaceKernel(t.Context(), dest); err == nil || !strings.Contains(err.Error(), b.Kernel.Image) || !strings.Contains(err.Error(), "cut short") {
		t.Errorf("PlaceKernel = %v", err)
	}
	if _, err := os.Stat(dest); err == nil {
		t.Error("a kernel was placed all the same")
	}
}

// A blank initrd is one for all manifests that ask for the same modules, and says nothing
// of any.
func TestBlankInitrd(t *testing.T) {
	b := builder(t)
	dir := t.TempDir()
	blank := func(modules []manifest.Module) *boot.Initrd {
		t.Helper()
		initrd, err := b.BlankInitrd(modules)
		if err != nil {
			t.Fatal(err)
		}
		return initrd
	}
	for name, place := range map[string]func(dest string) error{
		"blank": func(dest string) error { return blank(small.Modules).Place(t.Context(), dest) },
		"told":  func(dest string) error { return b.PlaceInitrd(t.Context(), small, dest) },
	} {
		dest := filepath.Join(dir, name)
		if err := place(dest); err != nil {
			t.Fatal(err)
		}
		archive, err := os.ReadFile(dest)
		if err != nil {
			t.Fatal(err)
		}
		if has, want := bytes.Contains(archive, []byte(manifest.ManifestPath[1:]+"\x00")), name == "told"; has != want {
			t.Errorf("the %s one has a manifest: %t", name, has)
		}
		if !bytes.Contains(archive, []byte("-9p.ko\x00")) {
			t.Errorf("the %s one lacks a module", name)
		}
	}
	if blank(small.Modules).Key == blank(small.Modules[:1]).Key {
		t.Error("one key stands for other modules")
	}
}
