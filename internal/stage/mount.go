package stage

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Options say how a source is mounted.
type Options struct {
	// Writable lets the source itself be changed. What is mounted below it on the
	// host stays read-only.
	Writable bool
	// NoExec has nothing run from it.
	NoExec bool
}

// always are the attributes that every mount of the host's has.
const always = unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV

// mountOn mounts a clone of the source, and of all that is mounted below it, on
// an open folder or file.
func mountOn(source *Source, point *os.File, o Options) error {
	tree, err := source.tree()
	if err != nil {
		return fmt.Errorf("%s: cannot be mounted: %w", source.Path, err)
	}
	defer tree.Close()
	if source.ids != nil {
		if err := source.ids.apply(tree); err != nil {
			return fmt.Errorf("%s: %w", source.Path, err)
		}
	}
	if o.Writable {
		if err := writable(source, tree); err != nil {
			return err
		}
	}
	if o.NoExec {
		if err := tell("mount_setattr", unix.MountSetattr(int(tree.Fd()), "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_NOEXEC})); err != nil {
			return fmt.Errorf("%s: %w", source.Path, err)
		}
	}
	if err := attach(tree, point); err != nil {
		return fmt.Errorf("%s: cannot be mounted on %s: %w", source.Path, point.Name(), err)
	}
	return nil
}

// clone makes a private, read-only copy of a mount and of those below it, from
// the open file or folder on.
func clone(of *os.File) (*os.File, error) {
	fd, err := unix.OpenTree(int(of.Fd()), "", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE|unix.AT_EMPTY_PATH)
	if err != nil {
		return nil, tell("open_tree", err)
	}
	tree := os.NewFile(uintptr(fd), of.Name())
	attr := unix.MountAttr{Attr_set: always | unix.MOUNT_ATTR_RDONLY, Propagation: unix.MS_PRIVATE}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &attr); err != nil {
		tree.Close()
		return nil, tell("mount_setattr", err)
	}
	return tree, nil
}

// writable lets the top of a tree be written again, unless the host itself may
// not write there.
func writable(source *Source, tree *os.File) error {
	var info unix.Statfs_t
	if err := unix.Fstatfs(int(source.file.Fd()), &info); err != nil {
		return fmt.Errorf("%s: %w", source.Path, err)
	}
	if info.Flags&unix.ST_RDONLY != 0 {
		return fmt.Errorf("%s is to be writable, but is mounted read-only on the host", source.Path)
	}
	if err := unix.MountSetattr(int(tree.Fd()), "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY}); err != nil {
		return fmt.Errorf("%s: %w", source.Path, tell("mount_setattr", err))
	}
	return nil
}

func readOnly(mount *os.File) error {
	return tell("mount_setattr", unix.MountSetattr(int(mount.Fd()), "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}))
}

// attach mounts a detached tree on an open folder or file.
func attach(tree, point *os.File) error {
	return tell("move_mount", unix.MoveMount(int(tree.Fd()), "", int(point.Fd()), "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH))
}

// newMemory makes a file system in memory that is mounted nowhere yet, and in which all
// has a SELinux context, where one is given.
func newMemory(context string, options map[string]string) (*os.File, error) {
	fs, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, tell("fsopen", err)
	}
	defer unix.Close(fs)
	if context != "" {
		options["context"] = context
	}
	for key, value := range options {
		if err := unix.FsconfigSetString(fs, key, value); err != nil {
			return nil, fmt.Errorf("tmpfs with %s=%s: %w", key, value, err)
		}
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return nil, tell("fsconfig", err)
	}
	fd, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, always)
	if err != nil {
		return nil, tell("fsmount", err)
	}
	return os.NewFile(uintptr(fd), "tmpfs"), nil
}

// tell names the system call that failed, and what it takes.
func tell(call string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENOSYS):
		return fmt.Errorf("%s: %w: sbx needs Linux 5.12 or later", call, err)
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("%s: %w: sbx needs CAP_SYS_ADMIN of the host", call, err)
	}
	return fmt.Errorf("%s: %w", call, err)
}
