package kvm

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/hostfile"
)

// maxSingle bounds the copy of a single exported file, in bytes.
const maxSingle = 256 << 20

// placeSingle puts a single exported file into a folder of its own, as a hard
// link where that can be, since a link is the very file. A read-only one may be
// a copy, with the same owner and mode: it shows the file as it was when the
// machine started.
func placeSingle(s *bound.Sandbox, m manifest.Mount) error {
	dir := singleDir(s, m)
	if err := hostfile.MkdirOwned(dir, os.Geteuid(), os.Getegid(), 0o755); err != nil { // which QEMU's user lists
		return err
	}
	source, err := filepath.EvalSymlinks(m.Source)
	if err != nil {
		return err
	}
	dest := filepath.Join(dir, manifest.SingleFile)
	err = os.Link(source, dest)
	switch {
	case err == nil:
		return nil
	case !errors.Is(err, unix.EXDEV) && !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EMLINK):
		return err
	case m.Writable:
		return fmt.Errorf("%s is a single file to be written, and cannot be linked into %s: mount its folder, or have both on one file system (%w)", m.Source, dir, err)
	}
	return copySingle(source, dest)
}

// copySingle copies a file with its owner and mode, as far as this user may.
func copySingle(source, dest string) error {
	from, err := os.Open(source)
	if err != nil {
		return err
	}
	defer from.Close()
	info, err := from.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() > maxSingle {
		return fmt.Errorf("%s is neither a folder nor a file of at most %d bytes, and not on the file system of the state folder: expose its folder", source, maxSingle)
	}
	to, err := os.OpenFile(dest, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer to.Close()
	if _, err := io.Copy(to, io.LimitReader(from, maxSingle)); err != nil {
		return err
	}
	owner := info.Sys().(*syscall.Stat_t)
	if err := to.Chown(int(owner.Uid), int(owner.Gid)); err != nil && os.Geteuid() == 0 {
		return err
	}
	if err := to.Chmod(info.Mode().Perm()); err != nil {
		return err
	}
	return to.Close()
}
