package stage

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/hostpath"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema/diag"
)

// A volume is a folder of a bounded size: an ext4 file system in a file of the host,
// which sbx has made and which is written through the host's own kernel alone. Nothing
// that a sandbox writes becomes a part of the file system's structure, so that the
// kernel may trust it.
const (
	// volumeLabel tells a volume from other file systems.
	volumeLabel = "sbx-volume"

	// volumeBlock is the file system's block, in bytes; each volume is of whole ones.
	volumeBlock = 4096
)

// Where an ext4 file system says what it is (Documentation/filesystems/ext4/super.rst).
const (
	superblock = 1024
	magicAt    = superblock + 0x38
	labelAt    = superblock + 0x78
	labelSize  = 16
)

// OpenVolume opens the volume in the file at path, of size bytes. It is made where it is
// missing and belongs to root then; one that is smaller grows, and one that is larger is
// refused. Nobody but root may be able to put another file in its place. It takes up
// what it holds, of size at most.
func OpenVolume(path string, size int64) (*Source, error) {
	s, err := openVolume(path, size-size%volumeBlock)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

func openVolume(path string, size int64) (*Source, error) {
	image, err := openImage(path, size, true)
	if err != nil {
		return nil, err
	}
	defer image.Close() // and with it its lock
	if err := grow(image, size); err != nil {
		return nil, err
	}
	device, err := attachLoop(image)
	if err != nil {
		return nil, fmt.Errorf("cannot be mounted as a volume: %w: the kernel needs its module loop", err)
	}
	s := &Source{Path: path, Real: path, device: device}
	if err := s.openDevice(image); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// CheckVolume finds out whether OpenVolume would do, as far as that can be told without
// changing anything.
func CheckVolume(path string, size int64) error {
	image, err := openImage(path, size-size%volumeBlock, false)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return image.Close()
}

// openDevice mounts the volume for the first time, nowhere.
func (s *Source) openDevice(image *os.File) (err error) {
	if s.file, err = mountDevice(s.device); err != nil {
		return err
	}
	var file, root unix.Stat_t
	if err := errors.Join(unix.Fstat(int(image.Fd()), &file), unix.Fstat(int(s.file.Fd()), &root)); err != nil {
		return err
	}
	s.ID, s.mode, s.UID = ID{file.Dev, file.Ino}, root.Mode, int(root.Uid)
	_ = unix.Unlinkat(int(s.file.Fd()), "lost+found", unix.AT_REMOVEDIR) // e2fsck makes it where it needs it
	return nil
}

// Give makes a volume that is still as it was made what a folder of the host would have
// been made.
func (s *Source) Give(f Folder) error {
	if s.device == nil || s.UID == f.UID || !hostpath.IsOurs(uint32(s.UID)) {
		return nil
	}
	if f.Mode != 0 {
		if err := unix.Chmod(hostpath.Descriptor(s.file), f.Mode); err != nil {
			return fmt.Errorf("%s: %w", s.Path, err)
		}
	}
	if err := unix.Fchownat(int(s.file.Fd()), "", f.UID, f.GID, unix.AT_EMPTY_PATH); err != nil { // last: it says that it is given
		return fmt.Errorf("%s: %w", s.Path, err)
	}
	s.UID = f.UID
	return nil
}

// openImage opens a volume's file, which may be smaller than size yet. It is locked until
// it is closed: two that mount it at once are to find one device.
func openImage(path string, size int64, create bool) (*os.File, error) {
	parent, name := filepath.Split(filepath.Clean(path))
	around, err := hostpath.Walk(parent)
	if errors.Is(err, unix.ENOENT) && create {
		if err := MakeFolder(parent, Folder{UID: os.Geteuid(), GID: os.Getegid()}); err != nil {
			return nil, err
		}
		around, err = hostpath.Walk(parent)
	}
	if err != nil {
		return nil, err
	}
	defer around.File.Close()
	image, err := hostpath.At(around.File, name, unix.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK, unix.RESOLVE_BENEATH)
	if errors.Is(err, unix.ENOENT) && create {
		if err := makeImage(around.File, name, size); err != nil && !errors.Is(err, unix.EEXIST) {
			return nil, fmt.Errorf("cannot be made as a volume: %w", err)
		}
		image, err = hostpath.At(around.File, name, unix.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK, unix.RESOLVE_BENEATH)
	}
	if errors.Is(err, unix.EISDIR) {
		return nil, fault.New(diag.NoSource, "it is a folder, and with size sbx keeps what is written in a file: name another path, and copy what is there with sbx cp")
	}
	if err != nil {
		return nil, err
	}
	if err := checkImage(image, around, size); err != nil {
		image.Close()
		return nil, err
	}
	return image, nil
}

// checkImage refuses what is no volume of sbx's, could be made another one by others, or
// is larger, and locks it.
func checkImage(image *os.File, around *hostpath.Place, size int64) error {
	var info unix.Stat_t
	if err := unix.Fstat(int(image.Fd()), &info); err != nil {
		return err
	}
	who := around.Others
	if who == "" {
		var err error
		if who, err = hostpath.ChangedBy(around.File, &info); err != nil {
			return err
		}
	}
	switch {
	case info.Mode&unix.S_IFMT != unix.S_IFREG:
		return fault.New(diag.NoSource, "it is no file, in which sbx could keep a volume: name another path")
	case who != "":
		return fault.New(diag.NoSource, "%s can put another file in its place, and the host's kernel would mount it: keep volumes in a folder of root's", who)
	case !hostpath.IsOurs(info.Uid), info.Mode&0o022 != 0, info.Nlink != 1:
		return fault.New(diag.NoSource, "others than root can write to it, and the host's kernel would mount what they wrote: remove it, and sbx makes a new one")
	}
	if err := unix.Flock(int(image.Fd()), unix.LOCK_EX); err != nil {
		return err
	}
	if !isVolume(image) {
		return fault.New(diag.NoSource, "it is a file, and no volume that sbx has made: name another path")
	}
	if info.Size > size {
		return fault.New(diag.NoSource, "it is a volume of %d MiB, and none is made smaller: say size: %q, or move it away and start with an empty one", info.Size>>20, fmt.Sprintf("%dMiB", info.Size>>20))
	}
	return nil
}

// letGoTime is how long what has ended may take to let its volume go.
const letGoTime = 10 * time.Second

// grow has a volume that is smaller be of that size. It must be mounted nowhere.
func grow(image *os.File, size int64) error {
	info, err := image.Stat()
	if err != nil || info.Size() == size {
		return err
	}
	for limit := time.Now().Add(letGoTime); ; time.Sleep(20 * time.Millisecond) {
		device, err := attached(image)
		if err != nil {
			return err
		}
		if device == nil {
			break
		}
		device.Close()
		if time.Now().After(limit) {
			return fault.New(diag.NoSource, "it is a volume of %d MiB, which cannot grow while it is mounted: stop what else uses it (%s)", info.Size()>>20, device.Name())
		}
	}
	if err := image.Truncate(size); err != nil {
		return err
	}
	if err := onImage(image, 1, "e2fsck", "-f", "-p"); err != nil { // 1: it has mended something
		return err
	}
	return onImage(image, 0, "resize2fs")
}

// onImage runs one of e2fsprogs' programs on the file. highest is the highest exit code
// that is no failure.
func onImage(image *os.File, highest int, name string, args ...string) error {
	program, err := findProgram(name)
	if err != nil {
		return err
	}
	run := exec.Command(program, append(args, "/proc/self/fd/3")...)
	run.ExtraFiles = []*os.File{image}
	said, err := run.CombinedOutput()
	if run.ProcessState != nil && run.ProcessState.Exited() && run.ProcessState.ExitCode() <= highest {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s fails: %w: %.300q", name, err, said)
	}
	return nil
}

func isVolume(image *os.File) bool {
	magic, label := make([]byte, 2), make([]byte, labelSize)
	_, err := image.ReadAt(magic, magicAt)
	_, err2 := image.ReadAt(label, labelAt)
	return err == nil && err2 == nil && magic[0] == 0x53 && magic[1] == 0xef && string(label[:len(volumeLabel)+1]) == volumeLabel+"\x00"
}

// makeImage makes a volume. It has a name only once it is whole.
func makeImage(around *os.File, name string, size int64) error {
	image, err := openTemporary(around)
	if err != nil {
		return err
	}
	defer image.Close()
	if err := image.Truncate(size); err != nil {
		return err
	}
	if err := onImage(image, 0, "mkfs.ext4", "-q", "-F", "-b", fmt.Sprint(volumeBlock), "-m", "0", "-L", volumeLabel); err != nil {
		return err
	}
	if err := image.Sync(); err != nil {
		return err
	}
	return unix.Linkat(unix.AT_FDCWD, hostpath.Descriptor(image), int(around.Fd()), name, unix.AT_SYMLINK_FOLLOW)
}

func openTemporary(around *os.File) (*os.File, error) {
	fd, err := unix.Openat(int(around.Fd()), ".", unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, &os.PathError{Op: "O_TMPFILE", Path: around.Name(), Err: err}
	}
	return os.NewFile(uintptr(fd), "volume"), nil
}

// findProgram looks where administrators' programs are, too: services may have no such
// PATH.
func findProgram(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/sbin"} {
		if path := filepath.Join(dir, name); unix.Access(path, unix.X_OK) == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("there is no %s: apt install e2fsprogs", name)
}
