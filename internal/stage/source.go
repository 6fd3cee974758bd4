package stage

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/eyes"
	"github.com/sbx-dev/sbx/internal/hostpath"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Source is a file or folder of the host, opened once.
type Source struct {
	Path string // as it was asked for
	Real string // where it led, with all links followed
	ID   ID
	UID  int // the owner on the disk
	GID  int
	file *os.File
	mode uint32

	device *os.File // of a volume, of which file is a mount; else nil

	ids  *IDMap   // by which it is mounted, or nil
	seen *os.File // the file as it is seen by that
}

// ID tells a file or folder from every other that is there at the same time.
type ID struct {
	Device, Inode uint64
}

func (id ID) String() string {
	return fmt.Sprintf("inode %d of device %d:%d", id.Inode, unix.Major(id.Device), unix.Minor(id.Device))
}

// Open opens a path of the host. Links are followed, as the host has them now, but for
// those that others than root can put there. What the kernel is controlled by is
// refused, wherever it is mounted.
func Open(path string) (*Source, error) {
	f, err := hostpath.Open(path)
	if err != nil {
		return nil, refused(path, err)
	}
	s := &Source{Path: path, file: f}
	if err := s.look(); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// refused gives an error the code of a path that cannot be given to a sandbox, where that
// is who could change what is on the way, and the kernel's errors the path.
func refused(path string, err error) error {
	if link := (*hostpath.LinkError)(nil); errors.As(err, &link) {
		return fault.Because(diag.NoSource, err)
	}
	return hostpath.Named(path, err)
}

func (s *Source) look() error {
	var err error
	if s.Real, err = os.Readlink(hostpath.Descriptor(s.file)); err != nil {
		return err
	}
	var info unix.Stat_t
	if err := unix.Fstat(int(s.file.Fd()), &info); err != nil {
		return err
	}
	s.ID, s.mode, s.UID = ID{info.Dev, info.Ino}, info.Mode, int(info.Uid)
	s.GID = int(info.Gid)
	var system unix.Statfs_t
	if err := unix.Fstatfs(int(s.file.Fd()), &system); err != nil {
		return err
	}
	if kind := controlMagic[system.Type]; kind != "" {
		return fault.New(diag.NoSource, "it is of the kernel's own file system %s, by which the host is controlled, and cannot be given to a sandbox", kind)
	}
	return nil
}

// Context is what SELinux knows of it; empty where it knows nothing.
func (s *Source) Context() string {
	text := make([]byte, 256)
	n, err := unix.Getxattr(hostpath.Descriptor(s.file), "security.selinux", text)
	if err != nil {
		return ""
	}
	return strings.TrimRight(string(text[:n]), "\x00")
}

// IsDir says whether it is a folder.
func (s *Source) IsDir() bool { return s.mode&unix.S_IFMT == unix.S_IFDIR }

// Endpoint says in a word what others can be spoken with through the source, though
// it is read-only: "" is for a file or folder.
func (s *Source) Endpoint() string { return endpoints[s.mode&unix.S_IFMT] }

var endpoints = map[uint32]string{
	unix.S_IFSOCK: "a socket",
	unix.S_IFIFO:  "a FIFO",
	unix.S_IFCHR:  "a device",
	unix.S_IFBLK:  "a device",
}

// FileSystem is the name of the file system that the source is of, as the kernel's
// table of mounts has it.
func (s *Source) FileSystem() (string, error) {
	id, err := mountID(s.file)
	if err != nil {
		return "", fmt.Errorf("%s: %w", s.Path, err)
	}
	table, err := mountInfo()
	if err != nil {
		return "", err
	}
	for _, m := range table {
		if m.id == id {
			return m.kind, nil
		}
	}
	return "", fmt.Errorf("%s: its mount is gone", s.Path)
}

// ObeysSetuid says whether the host lets a program there run as the one whom it belongs
// to, where its mode says so.
func (s *Source) ObeysSetuid() (bool, error) {
	var info unix.Statfs_t
	if err := unix.Fstatfs(int(s.file.Fd()), &info); err != nil {
		return false, fmt.Errorf("%s: %w", s.Path, err)
	}
	return info.Flags&unix.ST_NOSUID == 0, nil
}

// Read opens a file to be read. What is no file could keep its reader waiting.
func (s *Source) Read() (*os.File, error) {
	if s.mode&unix.S_IFMT != unix.S_IFREG {
		return nil, fmt.Errorf("%s is not a file", s.Path)
	}
	return os.Open(hostpath.Descriptor(s.file))
}

// Close gives back the descriptors.
func (s *Source) Close() {
	for _, f := range []*os.File{s.file, s.device, s.seen} {
		if f != nil {
			f.Close()
		}
	}
}

// tree is the source as a mount of its own, nowhere yet: a read-only, private copy of
// what is mounted there.
func (s *Source) tree() (*os.File, error) {
	if s.device == nil {
		return clone(s.file)
	}
	tree, err := mountDevice(s.device) // older kernels copy no mount that is nowhere
	if err != nil {
		return nil, err
	}
	if err := readOnly(tree); err != nil {
		tree.Close()
		return nil, err
	}
	return tree, nil
}

// Allows is nil if the host's user may read what is mounted of the source, and write
// it if that is asked for, as the kernel sees it: by owner, mode and access control
// list. How to get there does not matter.
func (s *Source) Allows(uid, gid int, write bool) error {
	want := uint32(unix.R_OK)
	if s.IsDir() {
		want |= unix.X_OK
	}
	if write {
		want |= unix.W_OK
	}
	seen := s.file
	if s.seen != nil {
		seen = s.seen
	}
	return eyes.Of(uid, gid, func() error {
		return unix.Faccessat(int(seen.Fd()), "", want, unix.AT_EACCESS|unix.AT_EMPTY_PATH)
	})
}

// Identify tells what stands at a path now from everything else that might, in a
// few words.
func Identify(path string) string {
	var info unix.Stat_t
	switch err := unix.Stat(path, &info); {
	case err == nil:
		return ID{info.Dev, info.Ino}.String()
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP):
		return "nothing"
	default:
		return err.Error()
	}
}

// IdentifyEntries tells what stands in a folder now from what stands in it after any
// of its entries has come, gone or been replaced, in a few words.
func IdentifyEntries(path string) string {
	dir, err := os.Open(path)
	if err != nil {
		return Identify(path)
	}
	defer dir.Close()
	entries, err := entriesOf(dir)
	if err != nil {
		return err.Error()
	}
	slices.Sort(entries)
	all := sha256.New()
	for _, name := range entries {
		var info unix.Stat_t
		if err := unix.Fstatat(int(dir.Fd()), name, &info, unix.AT_SYMLINK_NOFOLLOW); err == nil {
			fmt.Fprintf(all, "%q %d %d\n", name, info.Dev, info.Ino)
		}
	}
	return fmt.Sprintf("%d entries, %x", len(entries), all.Sum(nil)[:6])
}
