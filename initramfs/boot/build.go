// Package boot makes what a machine boots from, out of the host's own files: the
// kernel, unpacked, and the initial RAM file system with the first process, its
// manifest and the modules that it needs.
package boot

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"

	"github.com/sbx-dev/sbx/initramfs/boot/cache"
	"github.com/sbx-dev/sbx/initramfs/boot/cpio"
	"github.com/sbx-dev/sbx/initramfs/boot/kernel"
	"github.com/sbx-dev/sbx/initramfs/boot/modules"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/arch"
)

// Builder makes what a machine boots from out of the host's own files.
type Builder struct {
	Kernel *kernel.Kernel
	Init   string // path of the sbx-init binary
	Cache  *cache.Cache
}

// PlaceKernel puts the kernel, uncompressed where that can be, at dest. The
// notice is empty or one line on why the machine will boot slowly.
func (b *Builder) PlaceKernel(ctx context.Context, dest string) (notice string, err error) {
	image, err := os.ReadFile(b.Kernel.Image)
	if err != nil {
		return "", fmt.Errorf("kernel: %w", err)
	}
	err = b.Cache.Place(ctx, "kernel", digest(image), dest, func(w io.Writer) error {
		boot, err := kernel.Bootable(image)
		if errors.Is(err, kernel.ErrNoPVH) {
			boot, err = image, nil
		}
		if err == nil {
			_, err = w.Write(boot)
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("%s: %w", b.Kernel.Image, err)
	}
	elfKernel, err := isELF(dest)
	if err == nil && !elfKernel && kernel.ArchOf(image) == arch.X86 {
		notice = fmt.Sprintf("%s cannot be unpacked (%v): booting it as it is, which takes seconds longer", b.Kernel.Image, kernel.ErrNoPVH)
	}
	return notice, err
}

func isELF(name string) (bool, error) {
	file, err := os.Open(name)
	if err != nil {
		return false, err
	}
	defer file.Close()
	magic := make([]byte, len(elf.ELFMAG))
	_, err = io.ReadFull(file, magic)
	return string(magic) == elf.ELFMAG, err
}

// PlaceInitrd builds the initrd of m's machine and puts it at dest.
func (b *Builder) PlaceInitrd(ctx context.Context, m *manifest.Manifest, dest string) error {
	encoded, err := m.Encode()
	if err != nil {
		return err
	}
	init, err := os.ReadFile(b.Init)
	if err != nil {
		return fmt.Errorf("sbx-init: %w", err)
	}
	tree, err := modules.Open(b.Kernel.Modules)
	if err != nil {
		return err
	}
	files, err := closure(tree, withButton(b.Kernel, tree, m.Modules))
	if err != nil {
		return err
	}
	key, err := initrdKey(encoded, init, b.Kernel.Modules, files)
	if err != nil {
		return err
	}
	return b.Cache.Place(ctx, "initrd", key, dest, func(w io.Writer) error {
		return writeInitrd(w, encoded, init, tree, files)
	})
}

// buttonModules tell a machine that its power button was pressed, which is how
// virDomainShutdown asks it to end: by ACPI, or where a machine has none, by a key on
// one of its lines.
func buttonModules(of string) []string {
	if of == arch.ARM {
		return []string{"gpio_keys", "evdev"}
	}
	return []string{"button"}
}

// withButton adds those that the kernel has: one may be a part of the kernel itself,
// and without them only sbx can stop the machine.
func withButton(k *kernel.Kernel, tree *modules.Tree, wanted []manifest.Module) []manifest.Module {
	wanted = slices.Clip(wanted)
	for _, name := range buttonModules(k.Arch) {
		if _, err := tree.Closure(name); err == nil {
			wanted = append(wanted, manifest.Module{Name: name, For: "the power button"})
		}
	}
	return wanted
}

// closure finds the files of all modules. What is missing is told with the part
// of the profile that needs it.
func closure(tree *modules.Tree, wanted []manifest.Module) ([]string, error) {
	names := make([]string, len(wanted))
	for i, m := range wanted {
		if _, err := tree.Closure(m.Name); err != nil {
			return nil, fmt.Errorf("%s needs a kernel module: %w; boot another kernel (machine.kernel, machine.modules) or leave it out", m.For, err)
		}
		names[i] = m.Name
	}
	return tree.Closure(names...)
}

// initrdKey is a digest over everything that goes into an initrd; modules count
// as they lie on disk, since decompressing them is most of the work.
func initrdKey(encoded, init []byte, tree string, files []string) (string, error) {
	var parts bytes.Buffer
	fmt.Fprintln(&parts, "initrd 1", digest(encoded), digest(init))
	for _, file := range files {
		content, err := os.ReadFile(path.Join(tree, file))
		if err != nil {
			return "", fmt.Errorf("module tree: %w", err)
		}
		fmt.Fprintln(&parts, file, digest(content))
	}
	return digest(parts.Bytes()), nil
}

// writeInitrd writes the archive. The device nodes are those without which a
// first process has no place to write to before it has mounted /dev.
func writeInitrd(w io.Writer, encoded, init []byte, tree *modules.Tree, files []string) error {
	archive := cpio.NewWriter(w)
	err := errors.Join(
		archive.Folder("dev", 0o755),
		archive.Device("dev/console", 0o600, 5, 1),
		archive.Device("dev/null", 0o666, 1, 3),
		archive.File(manifest.InitPath[1:], 0o755, init),
		archive.Folder(path.Dir(manifest.ManifestPath)[1:], 0o755),
		archive.File(manifest.ManifestPath[1:], 0o444, encoded),
		archive.Folder(manifest.ModulesPath[1:], 0o755),
	)
	if err != nil {
		return err
	}
	for i, file := range files {
		content, err := tree.Read(file)
		if err != nil {
			return err
		}
		name := fmt.Sprintf("%s/%03d-%s.ko", manifest.ModulesPath[1:], i, modules.Name(file))
		if err := archive.File(name, 0o444, content); err != nil {
			return err
		}
	}
	return archive.Close()
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
