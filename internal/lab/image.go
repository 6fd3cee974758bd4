package lab

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/initramfs/boot/kernel"
)

// sources make images: what they are is in an image's digest.
//
//go:embed image.sh guest
var sources embed.FS

// image is a host's disk and what boots it, in one folder of the cache.
type image struct {
	dir  string
	made time.Time
}

func (i image) disk() string   { return filepath.Join(i.dir, "disk.img") }
func (i image) kernel() string { return filepath.Join(i.dir, "vmlinux") }
func (i image) initrd() string { return filepath.Join(i.dir, "initrd.img") }

// Cache is the folder of images: $SBX_LAB_CACHE, or one below the user's cache
// folder.
func Cache() (string, error) {
	if dir := os.Getenv("SBX_LAB_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no folder to keep images in: set SBX_LAB_CACHE: %w", err)
	}
	return filepath.Join(base, "sbx-test", "hosts"), nil
}

// digest names what h's image is made from.
func (h Host) digest() string {
	hash := sha256.New()
	for _, part := range []string{h.Suite, strings.Join(h.packages(), " "), h.Setup} {
		fmt.Fprintf(hash, "%d %s\n", len(part), part)
	}
	err := fs.WalkDir(sources, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := sources.ReadFile(path)
		fmt.Fprintf(hash, "%s %d %s\n", path, len(text), text)
		return err
	})
	if err != nil {
		panic(err) // embedded: it cannot be missing
	}
	return hex.EncodeToString(hash.Sum(nil))[:16]
}

// image finds h's image in cache, or makes it. Of two that make the same one at
// once, the second waits and takes what the first has made.
func (h Host) image(ctx context.Context, cache string, log io.Writer) (image, error) {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return image{}, err
	}
	name := h.Name + "-" + h.digest()
	lock, err := os.OpenFile(filepath.Join(cache, "."+name+".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return image{}, err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return image{}, fmt.Errorf("%s: %w", lock.Name(), err)
	}
	dir := filepath.Join(cache, name)
	if info, err := os.Stat(dir); err == nil {
		return image{dir: dir, made: info.ModTime()}, nil
	}
	fmt.Fprintf(log, "%s: making its image, %s\n", h.Name, dir)
	if err := h.makeImage(ctx, cache, dir, log); err != nil {
		return image{}, fmt.Errorf("the image of %s: %w", h.Name, err)
	}
	return image{dir: dir, made: time.Now()}, nil
}

// makeImage makes an image beside dir, and renames it when it is whole.
func (h Host) makeImage(ctx context.Context, cache, dir string, log io.Writer) error {
	work, err := os.MkdirTemp(cache, ".new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := os.CopyFS(filepath.Join(work, "sources"), sources); err != nil {
		return err
	}
	script := exec.CommandContext(ctx, "sh", filepath.Join(work, "sources", "image.sh"), h.Suite, strings.Join(h.packages(), ","), work)
	script.Stdin = strings.NewReader(h.Setup)
	script.Stdout, script.Stderr = log, log
	if err := script.Run(); err != nil {
		return fmt.Errorf("image.sh: %w", err)
	}
	packed, err := os.ReadFile(filepath.Join(work, "vmlinuz"))
	if err != nil {
		return err
	}
	vmlinux, err := kernel.Vmlinux(packed)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(work, "vmlinux"), vmlinux, 0o644); err != nil {
		return err
	}
	if err := os.Chmod(work, 0o755); err != nil {
		return err
	}
	return os.Rename(work, dir)
}
