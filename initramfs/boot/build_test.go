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
// of any. A machine's own is that one, with the manifest in an archive behind it, and takes
// no place of its own in the cache.
func TestInitrdWithAndWithoutAManifest(t *testing.T) {
	b := builder(t)
	dir := t.TempDir()
	of := func(modules []manifest.Module) *boot.Initrd {
		t.Helper()
		initrd, err := b.Initrd(modules)
		if err != nil {
			t.Fatal(err)
		}
		return initrd
	}
	other := *small
	other.Name = "other"
	initrd := of(small.Modules)
	built := map[string][]byte{}
	for name, place := range map[string]func(dest string) error{
		"blank": func(dest string) error { return initrd.PlaceBlank(t.Context(), dest) },
		"told":  func(dest string) error { return initrd.PlaceWith(t.Context(), small, dest) },
		"other": func(dest string) error { return b.PlaceInitrd(t.Context(), &other, dest) },
	} {
		dest := filepath.Join(dir, name)
		if err := place(dest); err != nil {
			t.Fatal(err)
		}
		archive, err := os.ReadFile(dest)
		if err != nil {
			t.Fatal(err)
		}
		built[name] = archive
	}
	if bytes.Contains(built["blank"], []byte(manifest.ManifestPath[1:]+"\x00")) {
		t.Error("the blank one has a manifest")
	}
	if !bytes.Contains(built["blank"], []byte("-9p.ko\x00")) {
		t.Error("the blank one lacks a module")
	}
	for name, m := range map[string]*manifest.Manifest{"told": small, "other": &other} {
		own, ok := bytes.CutPrefix(built[name], built["blank"])
		if !ok || len(built["blank"])%4 != 0 { // an archive begins at such a place
			t.Errorf("the %s one does not begin with the blank one, of %d bytes", name, len(built["blank"]))
		}
		text, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(own, []byte("070701")) || !bytes.Contains(own, []byte(manifest.ManifestPath[1:]+"\x00")) || !bytes.Contains(own, text) {
			t.Errorf("what follows in the %s one is %q", name, own)
		}
	}
	entries, err := b.Cache.Entries()
	if err != nil || len(entries) != 1 || entries[0].Size != int64(len(built["blank"])) {
		t.Errorf("in the cache: %v, %v", entries, err)
	}
	if initrd.Key == of(small.Modules[:1]).Key {
		t.Error("one key stands for other modules")
	}
}
