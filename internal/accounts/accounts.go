// Package accounts finds users and groups by the sandbox's own /etc/passwd and
// /etc/group: inside, and on the host before there is an inside.
package accounts

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// User is a resolved user with its groups.
type User struct {
	UID, GID uint32
	Groups   []uint32
	Name     string // empty where /etc/passwd does not know it
	Home     string
}

// String is the user as a person knows it.
func (u User) String() string {
	if u.Name != "" {
		return u.Name
	}
	return strconv.FormatUint(uint64(u.UID), 10)
}

// The files that name users and groups.
const (
	passwd = "/etc/passwd"
	group  = "/etc/group"
)

// Databases are a sandbox's files that name users and groups, by how a path inside is
// opened; a file that does not exist names none.
type Databases func(path string) (io.ReadCloser, error)

// Inside are those of the sandbox that this process is in, which what runs there may
// have put something else in place of.
var Inside Databases = func(path string) (io.ReadCloser, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // it may be a FIFO, whose opening waits
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no file", path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Lookup resolves "USER" or "USER:GROUP", each a name or a number. A user
// without a group has its own group and those that list it as a member; with
// one, it has that alone. Numbers need not be known, and root always is.
func (d Databases) Lookup(spec string) (User, error) {
	name, ofGroup, hasGroup := strings.Cut(spec, ":")
	u, err := d.user(name)
	if err != nil {
		return User{}, err
	}
	if hasGroup {
		u.GID, err = d.group(ofGroup)
		return u, err
	}
	if u.Name == "" {
		return u, nil
	}
	err = d.lines(group, 4, func(f []string) bool {
		gid, err := id(f[2])
		if err == nil && gid != u.GID && slices.Contains(strings.Split(f[3], ","), u.Name) {
			u.Groups = append(u.Groups, gid)
		}
		return len(u.Groups) < maxGroups
	})
	return u, err
}

func (d Databases) user(name string) (User, error) {
	number, numErr := id(name)
	u := User{UID: number, GID: number, Home: "/"}
	found := false
	err := d.lines(passwd, 7, func(f []string) bool {
		uid, uidErr := id(f[2])
		gid, gidErr := id(f[3])
		if uidErr != nil || gidErr != nil || f[0] != name && (numErr != nil || uid != number) {
			return true
		}
		found = true
		u = User{UID: uid, GID: gid, Name: f[0], Home: f[5]}
		return false
	})
	switch {
	case err != nil:
		return User{}, err
	case found, numErr == nil:
		return u, nil
	case name == "root":
		return User{Name: "root", Home: "/"}, nil
	}
	return User{}, fmt.Errorf("the user %q is not in the sandbox's %s: expose that file, or give a number", name, passwd)
}

func (d Databases) group(name string) (gid uint32, err error) {
	if gid, err = id(name); err == nil {
		return gid, nil
	}
	found := name == "root"
	err = d.lines(group, 4, func(f []string) bool {
		n, idErr := id(f[2])
		if idErr != nil || f[0] != name {
			return true
		}
		gid, found = n, true
		return false
	})
	if err == nil && !found {
		err = fmt.Errorf("the group %q is not in the sandbox's %s: expose that file, or give a number", name, group)
	}
	return gid, err
}

// id reads a user's or group's number; the largest one means "none" to the
// kernel.
func id(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err == nil && n == 1<<32-1 {
		err = strconv.ErrRange
	}
	return uint32(n), err
}

const (
	// maxDatabase is how much of a database is looked at: what runs inside may write it.
	maxDatabase = 16 << 20
	// maxGroups is the most groups that a process can be in (linux/limits.h).
	maxGroups = 65536
)

// lines calls see with the fields of each line that has n of them, until it
// returns false (passwd(5), group(5)).
func (d Databases) lines(path string, n int, see func([]string) bool) error {
	f, err := d(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	scanner := bufio.NewScanner(io.LimitReader(f, maxDatabase))
	for scanner.Scan() {
		if fields := strings.Split(scanner.Text(), ":"); len(fields) == n && !see(fields) {
			return nil
		}
	}
	return scanner.Err()
}
