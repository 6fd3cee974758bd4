package bound

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
	"libvirt.org/go/libvirtxml"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/hostpath"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema/diag"
)

// InlineContent is an inline file's content as the sandbox gets it: where it begins
// what is a file of the host's otherwise, that one's follows.
func InlineContent(m manifest.Mount) ([]byte, error) {
	content := []byte(m.Content)
	if m.Source == "" {
		return content, nil
	}
	f, err := openFollowing(m)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	following, err := io.ReadAll(io.LimitReader(f, manifest.MaxFollowing))
	return append(content, following...), err
}

// errPlaceless says that the host has no such file: the sandbox has no place to
// mount one over.
var errPlaceless = errors.New("the host has no such file")

// openFollowing opens the host's file that follows an inline one. Its folder may be
// anybody's, and what is handed to the sandbox is read by root: so a link is followed
// on the way to the folder alone, where nobody else could have made it, and only what
// everyone may read is read.
func openFollowing(m manifest.Mount) (*os.File, error) {
	dir, err := hostpath.Open(filepath.Dir(m.Source))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errPlaceless
	}
	if err != nil {
		return nil, fault.Because(diag.NoSource, hostpath.Named(filepath.Dir(m.Source), err))
	}
	defer dir.Close()
	fd, err := unix.Openat2(int(dir.Fd()), filepath.Base(m.Source), &unix.OpenHow{
		Flags: unix.O_RDONLY | unix.O_NONBLOCK | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS,
	})
	switch {
	case err == unix.ENOENT || err == unix.ELOOP:
		return nil, errPlaceless
	case err != nil:
		return nil, &fs.PathError{Op: "open", Path: m.Source, Err: err}
	}
	f := os.NewFile(uintptr(fd), m.Source)
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || info.Mode()&0o004 == 0 {
		f.Close()
		return nil, errors.Join(err, errPlaceless)
	}
	return f, nil
}

// dropPlaceless takes out the inline files that begin a file of the host's where
// this host has none: what the profile shows there stays as it is.
func (s *Sandbox) dropPlaceless() error {
	for _, m := range slices.Clone(s.Manifest.Mounts) {
		if m.Kind != manifest.Inline || m.Source == "" {
			continue
		}
		f, err := openFollowing(m)
		if err == nil {
			f.Close()
			continue
		}
		if !errors.Is(err, errPlaceless) {
			return fmt.Errorf("%s cannot begin with the sandbox's own lines: %w", m.Target, err)
		}
		s.dropInline(m.Target)
	}
	return nil
}

func (s *Sandbox) dropInline(target string) {
	s.Manifest.Mounts = slices.DeleteFunc(s.Manifest.Mounts, func(m manifest.Mount) bool {
		return m.Kind == manifest.Inline && m.Target == target
	})
	if s.Domain.Devices == nil {
		return
	}
	file := compiler.InlineFile("", target)
	s.Domain.Devices.Filesystems = slices.DeleteFunc(s.Domain.Devices.Filesystems, func(f libvirtxml.DomainFilesystem) bool {
		return f.Target != nil && f.Target.Dir == target && f.Source != nil && f.Source.Mount != nil && filepath.Base(f.Source.Mount.Dir) == filepath.Base(file)
	})
}
