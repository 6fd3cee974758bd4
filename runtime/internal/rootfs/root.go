package rootfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/within"
	"github.com/sbx-dev/sbx/runtime/internal/hostfile"
)

// Folder is a container's root folder on the host: nothing but mount points and
// links, all owned by the root of the container's user namespace.
type Folder struct {
	Dir      string
	UID, GID int
}

// libvirtPoints are the folders that libvirt's container driver mounts on or
// moves the old root to, and would otherwise make itself.
var libvirtPoints = []string{"/.oldroot", "/dev", "/proc", "/sys"}

// Build makes the root of the manifest; the folder must not exist. Whether an
// export is a folder is the host's to say.
func (r Folder) Build(m *manifest.Manifest, isFolder func(manifest.Mount) bool) error {
	if err := hostfile.MkdirOwned(r.Dir, r.UID, r.GID, 0o755); err != nil {
		return err
	}
	for _, n := range m.Root {
		if err := r.node(n); err != nil {
			return err
		}
	}
	for _, p := range libvirtPoints {
		if err := r.node(manifest.Node{Path: p, Kind: manifest.Dir}); err != nil {
			return err
		}
	}
	for _, mount := range m.Mounts {
		if mount.Kind != manifest.Export {
			continue
		}
		if err := r.exportPoint(mount, isFolder(mount), m.Mounts); err != nil {
			return err
		}
	}
	return nil
}

// node makes one folder, empty file or link; one that is there stays.
func (r Folder) node(n manifest.Node) error {
	path := filepath.Join(r.Dir, n.Path)
	if path == r.Dir {
		return nil
	}
	switch n.Kind {
	case manifest.Link:
		if err := os.Symlink(n.Link, path); err != nil {
			return ignoreExisting(err)
		}
		return os.Lchown(path, r.UID, r.GID)
	case manifest.File:
		return r.file(path, nodeMode(n, 0o644))
	case manifest.Dir:
		if err := hostfile.MkdirOwned(path, r.UID, r.GID, nodeMode(n, 0o755)); err != nil {
			return ignoreExisting(err)
		}
		return nil
	}
	return fmt.Errorf("manifest: %s is of the unknown kind %q", n.Path, n.Kind)
}

func (r Folder) file(path string, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return ignoreExisting(err)
	}
	if err := f.Close(); err != nil {
		return err
	}
	return hostfile.SetOwner(path, r.UID, r.GID, mode)
}

func ignoreExisting(err error) error {
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// nodeMode is the node's permissions with the sticky bit where os.Chmod wants it.
func nodeMode(n manifest.Node, absent fs.FileMode) fs.FileMode {
	if n.Mode == 0 {
		return absent
	}
	mode := fs.FileMode(n.Mode) & fs.ModePerm
	if n.Mode&0o1000 != 0 {
		mode |= fs.ModeSticky
	}
	return mode
}

// exportPoint makes the mount point of an exported path, which is a folder or a
// file. One that lies in another mount is the stage's to make.
func (r Folder) exportPoint(m manifest.Mount, folder bool, all []manifest.Mount) error {
	if Enclosing(m.Target, all) != nil {
		return nil
	}
	if err := r.parents(filepath.Dir(m.Target)); err != nil {
		return err
	}
	kind := manifest.File
	if folder {
		kind = manifest.Dir
	}
	return r.node(manifest.Node{Path: m.Target, Kind: kind})
}

// parents makes the folder and those above it.
func (r Folder) parents(path string) error {
	if path == "/" {
		return nil
	}
	if err := r.parents(filepath.Dir(path)); err != nil {
		return err
	}
	return r.node(manifest.Node{Path: path, Kind: manifest.Dir})
}

// Enclosing is the innermost other mount that target lies in; nil when it lies
// in the root itself.
func Enclosing(target string, all []manifest.Mount) *manifest.Mount {
	var found *manifest.Mount
	for i, m := range all {
		if m.Target == target || !within.Dir(target, m.Target) {
			continue
		}
		if found == nil || len(m.Target) > len(found.Target) {
			found = &all[i]
		}
	}
	return found
}
