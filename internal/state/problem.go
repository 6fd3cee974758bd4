package state

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/schema/diag"
)

// Problem is what keeps sbx from using its state folder.
type Problem struct {
	Path     string // what is wrong
	What     string // is wrong with it
	Mend     string // a command, or what else to do
	Mendable bool   // it is a mode, which Make mends
}

// Code implements fault.Coded.
func (p *Problem) Code() string { return diag.StateFolder }

func (p *Problem) Error() string { return p.Path + " " + p.What + ": " + p.Mend }

// elsewhere is what to do for one who is not root and has no place for state.
const elsewhere = "set XDG_STATE_HOME to a folder of yours, or run sbx as root"

// cannotMake is why a folder cannot be made.
func cannotMake(path string, err error) error {
	p := &Problem{Path: path, What: fmt.Sprintf("cannot be made (%v)", err), Mend: "look at " + filepath.Dir(path)}
	switch {
	case errors.Is(err, unix.EROFS):
		p.Mend = "mount its file system writable, or mount another one there"
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		p.Mend = "make room on its file system (df -h, df -i)"
	case os.Geteuid() != 0:
		p.Mend = elsewhere
	}
	return p
}

// mayMake is nil where this user can make the folder that is missing on the way to
// the entry.
func (e Entry) mayMake(path string) error {
	above := filepath.Dir(path)
	for above != "/" && unix.Access(above, unix.F_OK) == unix.ENOENT {
		above = filepath.Dir(above)
	}
	if err := unix.Faccessat(unix.AT_FDCWD, above, unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
		return cannotMake(path, err)
	}
	if e.Path == Inits && mountedNoexec(above) {
		return noexec(path)
	}
	return nil
}

func mountedNoexec(path string) bool {
	var fs unix.Statfs_t
	return unix.Statfs(path, &fs) == nil && fs.Flags&unix.ST_NOEXEC != 0
}

// noexec is why a folder cannot hold a container's first process.
func noexec(path string) error {
	return &Problem{Path: path, What: "is on a file system that is mounted noexec, and a container's first process is run from there", Mend: "mount -o remount,exec that file system, or mount another one there"}
}

// foreign is why a folder of another user is not used.
func foreign(path string, owner int) error {
	who := "user " + strconv.Itoa(owner)
	if u, err := user.LookupId(strconv.Itoa(owner)); err == nil {
		who += " (" + u.Username + ")"
	}
	p := &Problem{Path: path, What: fmt.Sprintf("belongs to %s, who could change what sandboxes of user %d are made of", who, os.Geteuid()), Mend: elsewhere}
	if os.Geteuid() == 0 {
		p.Mend = "look at what is in it, and chown -R root:root " + path + ", or move it away"
	}
	return p
}
