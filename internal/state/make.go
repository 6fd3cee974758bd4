package state

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// Make makes the folder that the parts name, and those above it, where they are
// missing, and gives its path. They get the modes of Entries whatever the umask, and
// so do those that are there with another. What is not a folder of this user's own is
// a *Problem.
func (f Folder) Make(parts ...string) (string, error) {
	return f.Path(parts...), f.visit(parts, true)
}

// Check finds out whether Make would do, and changes nothing: a mode that Make would
// mend is a *Problem here.
func (f Folder) Check(parts ...string) error { return f.visit(parts, false) }

// visit goes down from the root to the folder that the parts name. From the state
// folder on it goes by descriptor and follows no link.
func (f Folder) visit(parts []string, mend bool) error {
	if f == "" {
		return &Problem{Path: "the state folder", What: "has no place: neither HOME nor XDG_STATE_HOME names one", Mend: "set XDG_STATE_HOME to a folder of yours"}
	}
	if !utf8.ValidString(string(f)) {
		return &Problem{Path: fmt.Sprintf("the state folder %q", string(f)), What: "is not UTF-8, and libvirt's XML cannot name it", Mend: elsewhere}
	}
	target, _ := Find(strings.Join(parts, "/"))
	if err := f.visitParents(target, mend); err != nil {
		return err
	}
	parent, name := unix.AT_FDCWD, string(f)
	for depth := 0; ; depth++ {
		path := f.Path(parts[:depth]...)
		entry, ok := Find(strings.Join(parts[:depth], "/"))
		if !ok || !entry.Mode.IsDir() {
			return fmt.Errorf("%s is no folder that sbx has", path)
		}
		fd, err := target.open(parent, name, path, mend)
		if parent != unix.AT_FDCWD {
			unix.Close(parent)
		}
		if fd < 0 || err != nil {
			return err
		}
		if err := entry.hold(fd, path, mend); err != nil || depth == len(parts) {
			unix.Close(fd)
			return err
		}
		parent, name = fd, parts[depth]
	}
}

// open opens what has the name on the way to the entry, after making it where mend
// says so. Where it is missing and could be made, fd is -1.
func (e Entry) open(parent int, name, path string, mend bool) (fd int, err error) {
	if mend {
		if err := unix.Mkdirat(parent, name, 0o700); err != nil && err != unix.EEXIST {
			return -1, cannotMake(path, err)
		}
	}
	fd, err = unix.Openat(parent, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	switch err {
	case nil:
		return fd, nil
	case unix.ENOENT:
		return -1, e.mayMake(path)
	}
	return -1, &Problem{Path: path, What: "cannot be opened (" + err.Error() + ")", Mend: "look at it with ls -ld " + path}
}

// hold sees to it that the open file is what the entry says.
func (e Entry) hold(fd int, path string, mend bool) error {
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return &os.PathError{Op: "stat", Path: path, Err: err}
	}
	switch {
	case stat.Mode&unix.S_IFMT == unix.S_IFLNK:
		return &Problem{Path: path, What: "is a link, which sbx does not follow: it could be made to lead elsewhere", Mend: "remove it; to have the folder on another file system, mount --bind that there"}
	case stat.Mode&unix.S_IFMT != unix.S_IFDIR:
		return &Problem{Path: path, What: "is not a folder", Mend: "move it away"}
	case int(stat.Uid) != os.Geteuid():
		return foreign(path, int(stat.Uid))
	case e.Path == Inits && mountedNoexec(path):
		return noexec(path)
	case stat.Mode&0o7777 != uint32(e.Mode.Perm()) && !mend:
		return &Problem{Path: path, Mendable: true, What: fmt.Sprintf("has the mode %#o, not %#o", stat.Mode&0o7777, e.Mode.Perm()), Mend: fmt.Sprintf("chmod %#o %s", e.Mode.Perm(), path)}
	case stat.Mode&0o7777 != uint32(e.Mode.Perm()):
		// By the descriptor's own name: fchmod takes none that is opened with O_PATH.
		if err := unix.Chmod(fmt.Sprintf("/proc/self/fd/%d", fd), uint32(e.Mode.Perm())); err != nil {
			return &Problem{Path: path, What: fmt.Sprintf("has the mode %#o, which cannot be changed (%v)", stat.Mode&0o7777, err), Mend: fmt.Sprintf("chmod %#o %s", e.Mode.Perm(), path)}
		}
	}
	return nil
}

// visitParents goes through the folders that the state folder is below: root's must
// let the users of sandboxes pass.
func (f Folder) visitParents(target Entry, mend bool) error {
	var above []string
	for dir := filepath.Dir(filepath.Clean(string(f))); ; dir = filepath.Dir(dir) {
		above = append([]string{dir}, above...)
		if dir == "/" {
			break
		}
	}
	mode := uint32(0o700) // XDG's
	if os.Geteuid() == 0 {
		mode = 0o755
	}
	for _, dir := range above {
		var stat unix.Stat_t
		err := unix.Stat(dir, &stat)
		if err == unix.ENOENT && mend {
			if err = unix.Mkdir(dir, mode); err == nil {
				err = unix.Chmod(dir, mode)
			}
			if err != nil {
				return cannotMake(dir, err)
			}
			continue
		}
		if err == unix.ENOENT {
			return target.mayMake(dir)
		}
		if err != nil {
			return cannotMake(string(f), err)
		}
		if os.Geteuid() == 0 && stat.Mode&0o001 == 0 && !hasACL(dir) {
			return &Problem{Path: dir, What: fmt.Sprintf("has the mode %#o, so that sandboxes' own users cannot reach the state folder %s below it", stat.Mode&0o7777, f), Mend: "chmod o+x " + dir}
		}
	}
	return nil
}

// hasACL says whether more than the mode decides who may pass.
func hasACL(dir string) bool {
	_, err := unix.Getxattr(dir, "system.posix_acl_access", nil)
	return err == nil
}
