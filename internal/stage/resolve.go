package stage

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema/diag"
)

// maxLinks is how many links are followed on the way to a path, as in the kernel.
const maxLinks = 40

// resolution is a path of the host that is being gone along, one name at a time.
type resolution struct {
	at     *os.File // where it has come to
	left   []string // the names that are left
	links  int
	others string // who can put what they want at the place where it is now; "" for nobody
}

// resolve opens what stands at an absolute path of the host. Links are followed as
// root, or who runs this, has made them: where others can put one in a name's place,
// that name is no link, or the path leads nowhere. So nobody can choose, at that
// moment or at any other, what of the host a sandbox gets that they could not give it
// themselves.
func resolve(path string) (*os.File, error) {
	r, err := walk(path)
	if err != nil {
		return nil, err
	}
	return r.at, nil
}

// walk is resolve, with who else could have led it there.
func walk(path string) (*resolution, error) {
	root, err := openAt(nil, "/", unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	r := &resolution{at: root, left: names(path)}
	for len(r.left) > 0 {
		if err := r.step(); err != nil {
			r.at.Close()
			return nil, err
		}
	}
	return r, nil
}

func names(path string) []string {
	return strings.FieldsFunc(path, func(c rune) bool { return c == '/' })
}

// step goes on by one name.
func (r *resolution) step() error {
	name := r.left[0]
	next, err := r.open(name, len(r.left) > 1)
	if err != nil {
		return err
	}
	var info unix.Stat_t
	if err := unix.Fstat(int(next.Fd()), &info); err != nil {
		next.Close()
		return err
	}
	if r.others == "" {
		if r.others, err = changedBy(r.at, &info); err != nil {
			next.Close()
			return err
		}
	}
	r.left = r.left[1:]
	if info.Mode&unix.S_IFMT == unix.S_IFLNK {
		defer next.Close()
		return r.follow(next)
	}
	r.at.Close()
	r.at = next
	return nil
}

// open opens a name in the folder, and no link behind it. What is on the way to
// something else is opened as a folder: that mounts what is mounted when it is used.
func (r *resolution) open(name string, onTheWay bool) (*os.File, error) {
	if onTheWay {
		f, err := openAt(r.at, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_DIRECTORY, 0)
		if !errors.Is(err, unix.ENOTDIR) {
			return f, err
		}
	}
	return openAt(r.at, name, unix.O_PATH|unix.O_NOFOLLOW, 0)
}

// follow goes on where an open link leads.
func (r *resolution) follow(link *os.File) error {
	text := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(int(link.Fd()), "", text)
	if err != nil {
		return err
	}
	to := string(text[:n])
	var system unix.Statfs_t
	if err := unix.Fstatfs(int(link.Fd()), &system); err != nil {
		return err
	}
	if r.links++; r.links > maxLinks || system.Type == unix.PROC_SUPER_MAGIC {
		return unix.ELOOP
	}
	if r.others != "" {
		at, _ := os.Readlink(descriptor(link))
		return fault.New(diag.NoSource, "%s is a link, in a folder that %s can change, and could be made to lead anywhere: name where it is to lead, which is %s now", at, r.others, to)
	}
	r.left = append(names(to), r.left...)
	if !filepath.IsAbs(to) {
		return nil
	}
	root, err := openAt(nil, "/", unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	r.at.Close()
	r.at = root
	return nil
}

// changedBy says who else than root, and who runs this, can put something in the place
// of what is in an open folder; "" for nobody.
func changedBy(folder *os.File, entry *unix.Stat_t) (who string, err error) {
	var dir unix.Stat_t
	if err := unix.Fstat(int(folder.Fd()), &dir); err != nil {
		return "", err
	}
	sticky := dir.Mode&unix.S_ISVTX != 0 && isOurs(entry.Uid) // such entries stay where they are
	switch {
	case !isOurs(dir.Uid):
		return userNamed(dir.Uid), nil
	case sticky:
		return "", nil
	case dir.Mode&0o002 != 0:
		return "everybody", nil
	case dir.Mode&0o020 == 0: // also where an access control list has more: it is the mask then
		return "", nil
	}
	if _, err := unix.Getxattr(descriptor(folder), "system.posix_acl_access", nil); err == nil {
		return "whoever its access control list names", nil
	}
	if dir.Gid == 0 {
		return "", nil
	}
	return "group " + strconv.Itoa(int(dir.Gid)), nil
}

func isOurs(uid uint32) bool { return uid == 0 || int(uid) == os.Geteuid() }

func userNamed(uid uint32) string {
	id := strconv.Itoa(int(uid))
	if u, err := user.LookupId(id); err == nil {
		return fmt.Sprintf("user %s (%s)", id, u.Username)
	}
	return "user " + id
}
