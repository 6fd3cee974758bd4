package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// fileOperation is something that programs do in a folder.
type fileOperation struct {
	name string
	do   func(dir string) error
}

// fileOperations are tried in folders of the host that a sandbox may write to.
// Each gets an empty folder of its own.
var fileOperations = []fileOperation{
	{"write, append and read a file", appended},
	{"read and write an unlinked open file", func(dir string) error { return unlinked(dir, func(*os.File) error { return nil }) }},
	{"truncate an unlinked open file", func(dir string) error {
		return unlinked(dir, func(f *os.File) error { return f.Truncate(1 << 17) })
	}},
	{"change the mode of an unlinked open file", func(dir string) error {
		return unlinked(dir, func(f *os.File) error { return f.Chmod(0o644) })
	}},
	{"ask for the state of an unlinked open file", func(dir string) error {
		return unlinked(dir, func(f *os.File) error { _, err := f.Stat(); return err })
	}},
	{"truncate and sync a renamed open file", renamedOpen},
	{"replace a file by a rename", replaced},
	{"a file without a name (O_TMPFILE)", nameless},
	{"two names of one file (link)", hardLinked},
	{"a symbolic link that leads nowhere", func(dir string) error { return os.Symlink("/nowhere", filepath.Join(dir, "link")) }},
	{"rename a folder with what is in it", renamedFolder},
	{"remove 200 files while they are listed", removedWhileListed},
	{"keep a removed folder open", removedFolder},
	{"a path of 3000 bytes", deepPath},
	{"names that are not UTF-8, and of 255 bytes", oddNames},
	{"a FIFO (mkfifo)", func(dir string) error { return unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600) }},
	{"a unix socket (bind)", unixSocket},
	{"lock a part of a file (fcntl)", recordLock},
	{"lock a file (flock)", wholeLock},
	{"watch a folder (inotify)", watched},
	{"map a file, shared, and sync it", func(dir string) error { return mapped(dir, unix.MAP_SHARED) }},
	{"map a file, private", func(dir string) error { return mapped(dir, unix.MAP_PRIVATE) }},
	{"a sparse file of 1 GiB", sparse},
	{"reserve space (fallocate)", func(dir string) error {
		return withFile(dir, func(f *os.File) error { return unix.Fallocate(int(f.Fd()), 0, 0, 1<<20) })
	}},
	{"write past the page cache (O_DIRECT)", direct},
	{"change a file's mode and times", modeAndTimes},
	{"the set-user-ID bit", setUserID},
	{"extended attributes (user.*)", attributes},
	{"access control lists", accessList},
	{"sync a folder", func(dir string) error {
		return with(os.Open(dir))(func(f *os.File) error { return f.Sync() })
	}},
}

// fileOps names the operations, a line each.
func fileOps() (string, error) {
	var names []string
	for _, op := range fileOperations {
		names = append(names, op.name)
	}
	return strings.Join(names, "\n"), nil
}

// fileOp does one of them in a new folder of dir.
func fileOp(dir, name string) error {
	i := slices.IndexFunc(fileOperations, func(op fileOperation) bool { return op.name == name })
	if i < 0 {
		return fmt.Errorf("there is no operation %q", name)
	}
	own, err := os.MkdirTemp(dir, "op-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(own)
	return fileOperations[i].do(own)
}

// with gives what was opened to a function, and closes it.
func with(f *os.File, err error) func(func(*os.File) error) error {
	return func(use func(*os.File) error) error {
		if err != nil {
			return err
		}
		defer f.Close()
		return use(f)
	}
}

// withFile does something to a new file called "file".
func withFile(dir string, use func(*os.File) error) error {
	return with(os.OpenFile(filepath.Join(dir, "file"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600))(use)
}

// holds checks a file's content.
func holds(path, want string) error {
	data, err := os.ReadFile(path)
	if err == nil && string(data) != want {
		err = fmt.Errorf("the file holds %q, not %q", data, want)
	}
	return err
}

func appended(dir string) error {
	path := filepath.Join(dir, "file")
	for range 2 {
		err := with(os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600))(func(f *os.File) error {
			_, err := f.WriteString("ab")
			return err
		})
		if err != nil {
			return err
		}
	}
	return holds(path, "abab")
}

func unlinked(dir string, use func(*os.File) error) error {
	return withFile(dir, func(f *os.File) error {
		if err := os.Remove(f.Name()); err != nil {
			return err
		}
		if _, err := f.WriteString("hello"); err != nil {
			return err
		}
		data := make([]byte, 5)
		if _, err := f.ReadAt(data, 0); err != nil || string(data) != "hello" {
			return errors.Join(err, fmt.Errorf("read %q", data))
		}
		return use(f)
	})
}

func renamedOpen(dir string) error {
	return withFile(dir, func(f *os.File) error {
		to := filepath.Join(dir, "renamed")
		return first(os.Rename(f.Name(), to), f.Truncate(3), f.Sync(), holds(to, "\x00\x00\x00"))
	})
}

// first is the first that is an error.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func replaced(dir string) error {
	old, fresh := filepath.Join(dir, "file"), filepath.Join(dir, "new")
	return first(os.WriteFile(old, []byte("old"), 0o600), os.WriteFile(fresh, []byte("new"), 0o600), os.Rename(fresh, old), holds(old, "new"))
}

func nameless(dir string) error {
	return with(os.OpenFile(dir, unix.O_TMPFILE|os.O_RDWR, 0o600))(func(f *os.File) error {
		_, err := f.WriteString("x")
		return err
	})
}

func hardLinked(dir string) error {
	return withFile(dir, func(f *os.File) error {
		other := filepath.Join(dir, "other")
		if err := os.Link(f.Name(), other); err != nil {
			return err
		}
		_, err := f.WriteString("x")
		return first(err, holds(other, "x"))
	})
}

func renamedFolder(dir string) error {
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	return first(os.Mkdir(a, 0o700), os.Mkdir(b, 0o700), os.WriteFile(filepath.Join(a, "f"), []byte("x"), 0o600),
		os.Rename(a, filepath.Join(b, "c")), holds(filepath.Join(b, "c/f"), "x"))
}

func removedWhileListed(dir string) error {
	const n = 200
	for i := range n {
		if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(i)), nil, 0o600); err != nil {
			return err
		}
	}
	return with(os.Open(dir))(func(f *os.File) error {
		seen := 0
		for {
			names, err := f.Readdirnames(20)
			for _, name := range names {
				seen++
				if err := os.Remove(filepath.Join(dir, name)); err != nil {
					return err
				}
			}
			if len(names) == 0 || err != nil {
				break
			}
		}
		if seen != n {
			return fmt.Errorf("%d of %d files were listed", seen, n)
		}
		return nil
	})
}

func removedFolder(dir string) error {
	sub := filepath.Join(dir, "sub")
	if err := os.Mkdir(sub, 0o700); err != nil {
		return err
	}
	return with(os.Open(sub))(func(f *os.File) error {
		_, err := f.Stat()
		return first(os.Remove(sub), err)
	})
}

func deepPath(dir string) error {
	for len(dir) < 3000 {
		dir = filepath.Join(dir, strings.Repeat("n", 100))
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "f"), nil, 0o600)
}

func oddNames(dir string) error {
	for _, name := range []string{"new\nline", "lat\xe9", "\xff\xfe", "-d", strings.Repeat("a", 255)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			return err
		}
		if err := holds(filepath.Join(dir, name), "x"); err != nil {
			return err
		}
	}
	return nil
}

func unixSocket(dir string) error {
	listener, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		return err
	}
	defer listener.Close()
	conn, err := net.Dial("unix", filepath.Join(dir, "s"))
	if err == nil {
		conn.Close()
	}
	return err
}

func recordLock(dir string) error {
	return withFile(dir, func(f *os.File) error {
		return unix.FcntlFlock(f.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Len: 1})
	})
}

func wholeLock(dir string) error {
	return withFile(dir, func(f *os.File) error {
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			return err
		}
		return with(os.Open(f.Name()))(func(other *os.File) error {
			if unix.Flock(int(other.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
				return errors.New("two hold the lock")
			}
			return nil
		})
	})
}

func watched(dir string) error {
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_CREATE); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "f"), nil, 0o600); err != nil {
		return err
	}
	if _, err = unix.Read(fd, make([]byte, 4096)); err == unix.EAGAIN {
		return errors.New("nothing is told")
	}
	return err
}

func mapped(dir string, flags int) error {
	return withFile(dir, func(f *os.File) error {
		if err := f.Truncate(8192); err != nil {
			return err
		}
		m, err := unix.Mmap(int(f.Fd()), 0, 8192, unix.PROT_READ|unix.PROT_WRITE, flags)
		if err != nil {
			return err
		}
		copy(m, "hello")
		if err := first(unix.Msync(m, unix.MS_SYNC), unix.Munmap(m)); err != nil || flags == unix.MAP_PRIVATE {
			return err
		}
		data := make([]byte, 5)
		if _, err := f.ReadAt(data, 0); err != nil || string(data) != "hello" {
			return first(err, fmt.Errorf("the file holds %q", data))
		}
		return nil
	})
}

func sparse(dir string) error {
	return withFile(dir, func(f *os.File) error {
		if err := f.Truncate(1 << 30); err != nil {
			return err
		}
		var stat unix.Stat_t
		if err := unix.Fstat(int(f.Fd()), &stat); err != nil {
			return err
		}
		if stat.Blocks*512 > 1<<20 {
			return fmt.Errorf("it takes %d blocks", stat.Blocks)
		}
		return nil
	})
}

func direct(dir string) error {
	return with(os.OpenFile(filepath.Join(dir, "file"), os.O_RDWR|os.O_CREATE|unix.O_DIRECT, 0o600))(func(f *os.File) error {
		page, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
		if err != nil {
			return err
		}
		defer func() { _ = unix.Munmap(page) }()
		_, err = f.Write(page)
		return err
	})
}

func modeAndTimes(dir string) error {
	return withFile(dir, func(f *os.File) error {
		if err := f.Chmod(0o640); err != nil {
			return err
		}
		if err := unix.Utimes(f.Name(), []unix.Timeval{{Sec: 1}, {Sec: 2}}); err != nil {
			return err
		}
		info, err := os.Stat(f.Name())
		if err == nil && (info.Mode() != 0o640 || info.ModTime().Unix() != 2) {
			err = fmt.Errorf("it has %v, %v", info.Mode(), info.ModTime())
		}
		return err
	})
}

func setUserID(dir string) error {
	return withFile(dir, func(f *os.File) error {
		if err := f.Chmod(0o755 | os.ModeSetuid); err != nil {
			return err
		}
		info, err := f.Stat()
		if err == nil && info.Mode()&os.ModeSetuid == 0 {
			err = errors.New("the bit was dropped")
		}
		return err
	})
}

func attributes(dir string) error {
	return withFile(dir, func(f *os.File) error {
		return unix.Setxattr(f.Name(), "user.a", []byte("1"), 0)
	})
}

// accessList sets the access list that a mode of 0640 amounts to: version 2 with
// an entry each for owner, group and others (acl(5), linux/posix_acl_xattr.h).
func accessList(dir string) error {
	list := []byte{2, 0, 0, 0,
		0x01, 0, 6, 0, 0xff, 0xff, 0xff, 0xff,
		0x04, 0, 4, 0, 0xff, 0xff, 0xff, 0xff,
		0x20, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}
	return withFile(dir, func(f *os.File) error {
		return unix.Setxattr(f.Name(), "system.posix_acl_access", list, 0)
	})
}
