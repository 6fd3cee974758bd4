// Package hostpath opens paths of the host that a profile names. Somebody else may own
// what is on the way: a user, or a sandbox that may write there. Nobody can choose, at
// that moment or at any other, what of the host is opened that they could not give it
// themselves: links are followed as root, or who runs this, has made them, and where
// others can put one in a name's place, that name is no link, or the path leads nowhere.
package hostpath

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// LinkError says that a path leads through a link that others than root could change.
type LinkError struct {
	Link string // where it stands
	Who  string // can change it
	To   string // where it leads now
}

// Error implements error.
func (e *LinkError) Error() string {
	return fmt.Sprintf("%s is a link, in a folder that %s can change, and could be made to lead anywhere: name where it is to lead, which is %s now", e.Link, e.Who, e.To)
}

// Place is where a path has led to.
type Place struct {
	File   *os.File // open as by O_PATH
	Others string   // who can put what they want there; "" for nobody but root, and who runs this
}

// Open opens what stands at an absolute path of the host, as by O_PATH.
func Open(path string) (*os.File, error) {
	p, err := Walk(path)
	if err != nil {
		return nil, err
	}
	return p.File, nil
}

// Read opens a file to be read, by a path as that of Open. What is no file could keep its
// reader waiting, and is refused. A link of the kernel's own, as /dev/stdin leads to one,
// is followed as well: nobody else can make one.
func Read(path string) (*os.File, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	f, err := Open(path)
	if errors.Is(err, unix.ELOOP) {
		return os.Open(path)
	}
	if err != nil {
		return nil, Named(path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a file")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return os.Open(Descriptor(f))
}

// Named gives the kernel's errors the path that they are about.
func Named(path string, err error) error {
	if errno := unix.Errno(0); errors.As(err, &errno) {
		return &os.PathError{Op: "open", Path: path, Err: errno}
	}
	return err
}

// ReadAll reads a file of at most so many bytes.
func ReadAll(path string, most int64) ([]byte, error) {
	f, err := Read(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("%s is larger than %d bytes", path, most)
	}
	return data, err
}

// maxLinks is how many links are followed on the way to a path, as in the kernel.
const maxLinks = 40

// walk is a path of the host that is being gone along, one name at a time.
type walk struct {
	at     *os.File // where it has come to
	left   []string // the names that are left
	links  int
	others string // who can put what they want at the place where it is now; "" for nobody
}

// Walk is Open, with who else could have led it there.
func Walk(path string) (*Place, error) {
	root, err := At(nil, "/", unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	r := &walk{at: root, left: names(path)}
	for len(r.left) > 0 {
		if err := r.step(); err != nil {
			r.at.Close()
			return nil, err
		}
	}
	return &Place{r.at, r.others}, nil
}

func names(path string) []string {
	return strings.FieldsFunc(path, func(c rune) bool { return c == '/' })
}

// step goes on by one name.
func (r *walk) step() error {
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
		if r.others, err = ChangedBy(r.at, &info); err != nil {
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
func (r *walk) open(name string, onTheWay bool) (*os.File, error) {
	if onTheWay {
		f, err := At(r.at, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_DIRECTORY, 0)
		if !errors.Is(err, unix.ENOTDIR) {
			return f, err
		}
	}
	return At(r.at, name, unix.O_PATH|unix.O_NOFOLLOW, 0)
}

// follow goes on where an open link leads.
func (r *walk) follow(link *os.File) error {
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
		at, _ := os.Readlink(Descriptor(link))
		return &LinkError{Link: at, Who: r.others, To: to}
	}
	r.left = append(names(to), r.left...)
	if !filepath.IsAbs(to) {
		return nil
	}
	root, err := At(nil, "/", unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	r.at.Close()
	r.at = root
	return nil
}

// ChangedBy says who else than root, and who runs this, can put something in the place
// of what is in an open folder; "" for nobody.
func ChangedBy(folder *os.File, entry *unix.Stat_t) (who string, err error) {
	var dir unix.Stat_t
	if err := unix.Fstat(int(folder.Fd()), &dir); err != nil {
		return "", err
	}
	sticky := dir.Mode&unix.S_ISVTX != 0 && IsOurs(entry.Uid) // such entries stay where they are
	switch {
	case !IsOurs(dir.Uid):
		return userNamed(dir.Uid), nil
	case sticky:
		return "", nil
	case dir.Mode&0o002 != 0:
		return "everybody", nil
	case dir.Mode&0o020 == 0: // also where an access control list has more: it is the mask then
		return "", nil
	}
	if _, err := unix.Getxattr(Descriptor(folder), "system.posix_acl_access", nil); err == nil {
		return "whoever its access control list names", nil
	}
	if dir.Gid == 0 {
		return "", nil
	}
	return "group " + strconv.Itoa(int(dir.Gid)), nil
}

// IsOurs says whether a user is root, or who runs this.
func IsOurs(uid uint32) bool { return uid == 0 || int(uid) == os.Geteuid() }

func userNamed(uid uint32) string {
	id := strconv.Itoa(int(uid))
	if u, err := user.LookupId(id); err == nil {
		return fmt.Sprintf("user %s (%s)", id, u.Username)
	}
	return "user " + id
}

// At is openat2(2); a nil dir is the host's root. It tries again where others
// rename what is on the way.
func At(dir *os.File, path string, flags, resolve uint64) (*os.File, error) {
	at := unix.AT_FDCWD
	name := path
	if dir != nil {
		at, name = int(dir.Fd()), filepath.Join(dir.Name(), path)
	}
	how := unix.OpenHow{Flags: flags | unix.O_CLOEXEC, Resolve: resolve}
	for {
		fd, err := unix.Openat2(at, path, &how)
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return os.NewFile(uintptr(fd), name), nil
	}
}

// Descriptor is the name by which this process finds an open file again.
func Descriptor(f *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", f.Fd()) }
