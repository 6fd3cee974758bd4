package kernel_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/initramfs/boot/kernel"
	"github.com/sbx-dev/sbx/internal/arch"
)

// armPlain is a small Image of aarch64: its header, the one for EFI with a section
// that is all of the rest, and the line that has its release.
func armPlain() []byte {
	image := make([]byte, 8<<10)
	le := binary.LittleEndian
	copy(image, "MZ")
	copy(image[56:], "ARM\x64")
	le.PutUint32(image[60:], 64)
	copy(image[64:], "PE\x00\x00")
	le.PutUint16(image[68:], 0xaa64)
	le.PutUint16(image[70:], 1) // sections
	section := image[64+24:]
	le.PutUint32(section[16:], uint32(len(image)-512))
	le.PutUint32(section[20:], 512)
	random := rand.New(rand.NewPCG(3, 4)) // real ones do not shrink to nothing, either
	for i := 2048; i < len(image); i++ {
		image[i] = byte(random.Uint32())
	}
	copy(image[1000:], "%s version %s\x00Linux version %s\x00Linux version 6.1.0-arm (builder@host) #1 SMP")
	return image
}

// zboot packs an Image for EFI, as the kernel's build does.
func zboot(packed []byte, trailer int) []byte {
	image := make([]byte, 1024+len(packed))
	le := binary.LittleEndian
	copy(image, "MZ\x00\x00zimg")
	le.PutUint32(image[8:], 1024)
	le.PutUint32(image[12:], uint32(len(packed)-trailer))
	le.PutUint32(image[60:], 64)
	copy(image[64:], "PE\x00\x00")
	le.PutUint16(image[68:], 0xaa64)
	copy(image[1024:], packed)
	return image
}

// armImages are a plain Image and all that distributions make of it.
func armImages(t testing.TB, plain []byte) map[string][]byte {
	images := map[string][]byte{"an Image": plain}
	for name, packed := range payloads(t, plain) {
		if name == "gzip" {
			images["a gzipped Image"], images["zboot with gzip"] = packed, zboot(packed, 0)
			continue
		}
		images["zboot with "+name] = zboot(packed, 4)
	}
	return images
}

func TestKernelsOfAarch64(t *testing.T) {
	plain := armPlain()
	for name, image := range armImages(t, plain) {
		t.Run(name, func(t *testing.T) {
			got, err := kernel.Bootable(image)
			if err != nil || !bytes.Equal(got, plain) {
				t.Errorf("Bootable: %v, and the Image is the same: %v", err, bytes.Equal(got, plain))
			}
			if of := kernel.ArchOf(image[:min(len(image), 4096)]); of != arch.ARM {
				t.Errorf("ArchOf = %q", of)
			}
			if release := kernel.Release(image); release != "6.1.0-arm" {
				t.Errorf("Release = %q", release)
			}
		})
	}
}

func TestArchOf(t *testing.T) {
	for name, c := range map[string]struct {
		image []byte
		want  string
	}{
		"a bzImage":              {bzImage(nil), arch.X86},
		"vmlinux of x86_64":      {vmlinux(t, elf.EM_X86_64, "Xen"), arch.X86},
		"vmlinux of aarch64":     {vmlinux(t, elf.EM_AARCH64, "Xen"), arch.ARM},
		"vmlinux of another":     {vmlinux(t, elf.EM_RISCV, "Xen"), ""},
		"zboot of another":       {append([]byte("MZ\x00\x00zimg"), make([]byte, 1024)...), ""},
		"gzip of something else": {payloads(t, []byte("text"))["gzip"], ""},
		"nothing":                {nil, ""},
	} {
		if got := kernel.ArchOf(c.image); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestDamagedKernelsOfAarch64(t *testing.T) {
	plain := armPlain()
	packed := payloads(t, plain)
	bigEndian := bytes.Clone(plain)
	bigEndian[24] |= 1
	long := zboot(packed["zstd"], 4)
	binary.LittleEndian.PutUint32(long[12:], 1<<31)
	last := zboot(packed["zstd"], 0)
	for _, c := range []struct {
		name  string
		image []byte
		want  string
	}{
		{"cut short", plain[:len(plain)/2], "cut short"},
		{"cut in the sections", plain[:100], "cut short"},
		{"big-endian", bigEndian, "big-endian"},
		{"gzip cut short", packed["gzip"][:len(packed["gzip"])/2], "damaged"},
		{"zboot cut short", long, "cut short"},
		{"zboot without the size behind it", last, "cut short"},
		{"zboot of something else", zboot(payloads(t, []byte(strings.Repeat("text ", 100)))["zstd"], 4), "no Image"},
		{"zboot packed otherwise", zboot([]byte("\x89LZO and so on"), 4), "cannot be unpacked"},
		{"an ELF file", vmlinux(t, elf.EM_AARCH64, "Xen"), "not x86-64"},
	} {
		if _, err := kernel.Bootable(c.image); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", c.name, err, c.want)
		}
		if release := kernel.Release(c.image); release != "" {
			t.Errorf("%s: its release is %q", c.name, release)
		}
	}
}

// A machine gets a kernel of its own architecture, also beside newer ones of others.
func TestFindOfAnArchitecture(t *testing.T) {
	root := host(t, "boot/vmlinuz-6.9.0", "lib/modules/6.9.0/modules.dep", "lib/modules/6.1.0-arm/modules.dep")
	image := filepath.Join(root, "boot/vmlinuz-6.1.0-arm")
	if err := os.WriteFile(image, armPlain(), 0o644); err != nil {
		t.Fatal(err)
	}
	for of, want := range map[string]string{arch.X86: "6.9.0", arch.ARM: "6.1.0-arm"} {
		k, err := kernel.Find(root, "", "", of)
		if err != nil || filepath.Base(k.Modules) != want {
			t.Errorf("%s: %+v, %v", of, k, err)
		}
	}
	if k, err := kernel.Find(root, image, "", arch.ARM); err != nil || filepath.Base(k.Modules) != "6.1.0-arm" {
		t.Errorf("by name: %+v, %v", k, err)
	}
	if _, err := kernel.Find(root, image, "", arch.X86); err == nil || !strings.Contains(err.Error(), "is a kernel for aarch64, and the machine is x86_64") {
		t.Errorf("by name for another machine: %v", err)
	}
	if err := os.Remove(image); err != nil {
		t.Fatal(err)
	}
	if _, err := kernel.Find(root, "", "", arch.ARM); err == nil || !strings.Contains(err.Error(), "linux-image-arm64") {
		t.Errorf("where there is none: %v", err)
	}
}

func FuzzBootable(f *testing.F) {
	for _, image := range armImages(f, armPlain()) {
		f.Add(image)
	}
	f.Fuzz(func(t *testing.T, image []byte) {
		got, err := kernel.Bootable(image)
		if err == nil && kernel.ArchOf(got) == "" {
			t.Error("accepted something that is no kernel")
		}
		kernel.Release(image)
	})
}
