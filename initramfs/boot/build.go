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

	kernelKey string // once it is known
}

// PlaceKernel puts the kernel, uncompressed where that can be, at dest. The
// notice is empty or one line on why the machine will boot slowly.
func (b *Builder) PlaceKernel(ctx context.Context, dest string) (notice string, err error) {
	image, err := kernel.Read(b.Kernel.Image)
	if err != nil {
		return "", err
	}
	b.kernelKey = digest(image)
	err = b.Cache.Place(ctx, "kernel", b.kernelKey, dest, func(w io.Writer) error {
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

// PlaceInitrd puts the initrd of m's machine at dest.
func (b *Builder) PlaceInitrd(ctx context.Context, m *manifest.Manifest, dest string) error {
	initrd, err := b.Initrd(m.Modules)
	if err != nil {
		return err
	}
	return initrd.PlaceWith(ctx, m, dest)
}

// KernelKey is a digest of the kernel's image: of the one that PlaceKernel has placed, if
// it has.
func (b *Builder) KernelKey() (string, error) {
	if b.kernelKey != "" {
		return b.kernelKey, nil
	}
	image, err := kernel.Read(b.Kernel.Image)
	if err != nil {
		return "", err
	}
	return digest(image), nil
}

// Initrd is what all machines with the same modules boot from.
type Initrd struct {
	Key string // a digest of all that goes into it

	parts *parts
	cache *cache.Cache
}

const initrdKind = "initrd" // in the cache

// Initrd collects what goes into the one with the modules that a manifest names.
func (b *Builder) Initrd(wanted []manifest.Module) (*Initrd, error) {
	parts, err := b.collect(wanted)
	if err != nil {
		return nil, err
	}
	key, err := parts.key()
	if err != nil {
		return nil, err
	}
	return &Initrd{Key: key, parts: parts, cache: b.Cache}, nil
}

// PlaceBlank puts one without a manifest at dest, whose machine waits for it
// (initramfs/orders).
func (i *Initrd) PlaceBlank(ctx context.Context, dest string) error {
	return i.cache.Place(ctx, initrdKind, i.Key, dest, i.parts.write)
}

// PlaceWith puts a machine's own one at dest: the kernel unpacks the archive behind the
// first one, too. So machines that differ in what they are told, be it their name, have one
// file in the cache.
func (i *Initrd) PlaceWith(ctx context.Context, m *manifest.Manifest, dest string) error {
	told, err := archived(m)
	if err != nil {
		return err
	}
	return i.cache.PlaceCopy(ctx, initrdKind, i.Key, dest, i.parts.write, told)
}

// archived is an archive with a manifest alone.
func archived(m *manifest.Manifest) ([]byte, error) {
	encoded, err := m.Encode()
	if err != nil {
		return nil, err
	}
	var told bytes.Buffer
	archive := cpio.NewWriter(&told)
	err = errors.Join(
		archive.Folder(path.Dir(manifest.ManifestPath)[1:], 0o755),
		archive.File(manifest.ManifestPath[1:], 0o444, encoded),
		archive.Close(),
	)
	return told.Bytes(), err
}

// parts are what an initrd is made of.
type parts struct {
	init  []byte
	tree  *modules.Tree
	files []string // of the modules, in the order in which they are loaded
}

func (b *Builder) collect(wanted []manifest.Module) (*parts, error) {
	init, err := os.ReadFile(b.Init)
	if err != nil {
		return nil, fmt.Errorf("sbx-init: %w", err)
	}
	tree, err := modules.Open(b.Kernel.Modules)
	if err != nil {
		return nil, err
	}
	files, err := closure(tree, withButton(b.Kernel, tree, wanted))
	if err != nil {
		return nil, err
	}
	return &parts{init: init, tree: tree, files: files}, nil
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

// key is a digest over everything that goes into an initrd; modules count
// as they lie on disk, since decompressing them is most of the work.
func (p *parts) key() (string, error) {
	var list bytes.Buffer
	fmt.Fprintln(&list, "initrd 2", digest(p.init))
	for _, file := range p.files {
		content, err := p.tree.Packed(file)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(&list, file, digest(content))
	}
	return digest(list.Bytes()), nil
}

// write writes the archive. The device nodes are those without which a
// first process has no place to write to before it has mounted /dev.
func (p *parts) write(w io.Writer) error {
	archive := cpio.NewWriter(w)
	err := errors.Join(
		archive.Folder("dev", 0o755),
		archive.Device("dev/console", 0o600, 5, 1),
		archive.Device("dev/null", 0o666, 1, 3),
		archive.File(manifest.InitPath[1:], 0o755, p.init),
		archive.Folder(manifest.ModulesPath[1:], 0o755),
	)
	if err != nil {
		return err
	}
	for i, file := range p.files {
		content, err := p.tree.Read(file)
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
