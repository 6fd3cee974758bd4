package command

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/sbx-dev/sbx/runtime"
	"github.com/sbx-dev/sbx/schema"
)

// followOwners has what the command makes in the folders of --rw belong to those whose
// folders they are, and has the command run as the first of these: it finds its own
// files there, as git wants them to be, whoever calls sbx. Root's folders are not
// followed: root inside would be the host's there.
func (f *runFlags) followOwners(p *schema.Profile) error {
	for _, entry := range f.RW {
		host, target := splitPlaces(entry)
		host, err := filepath.Abs(host)
		if err != nil {
			return err
		}
		if target == "" {
			target = host
		}
		uid, gid, err := ownerOf(host)
		if err != nil {
			return fmt.Errorf("--rw %s: %w", entry, err)
		}
		m := p.Mounts[target]
		switch ids := fmt.Sprintf("%d:%d", uid, gid); {
		case uid == 0 || uid > schema.LastID || gid > schema.LastID:
			continue
		case p.Backend.MapsUsers() && p.Users.Namespace && runtime.KeepsIDs(host):
			m.IDs = schema.List{ids}
			p.Mounts[target] = m
			f.runAs(p, ids)
		case p.Backend.BootsKernel() && uid == os.Geteuid(): // as whom QEMU runs
			f.runAs(p, ids)
		}
	}
	return nil
}

// runAs has the command run as a user, where nobody has said who it runs as.
func (f *runFlags) runAs(p *schema.Profile, user string) {
	if f.User == "" && p.Run.Root() {
		p.Run.User = user
	}
}

// ownerOf is whose a path of the host is, or whose it is likely to become: that of the
// nearest folder above it that is there.
func ownerOf(path string) (uid, gid int, err error) {
	info, err := os.Stat(path)
	for errors.Is(err, fs.ErrNotExist) && path != filepath.Dir(path) {
		path = filepath.Dir(path)
		info, err = os.Stat(path)
	}
	if err != nil {
		return 0, 0, err
	}
	owner := info.Sys().(*syscall.Stat_t)
	return int(owner.Uid), int(owner.Gid), nil
}
