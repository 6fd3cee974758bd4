package draft

import (
	"io/fs"
	"slices"
	"strings"
	"syscall"

	"github.com/sbx-dev/sbx/internal/draft/accounts"
	"github.com/sbx-dev/sbx/internal/draft/hostfile"
)

// maxEntries is how many entries of a folder are looked at.
const maxEntries = 20000

// entry is a file or folder of the host.
type entry struct {
	path string // absolute
	mode fs.FileMode
	accounts.Owner
}

// readableByAll says whether everybody may read it.
func (e entry) readableByAll() bool {
	if e.mode.IsDir() {
		return e.mode.Perm()&0o005 == 0o005
	}
	return e.mode&fs.ModeSymlink != 0 || e.mode.Perm()&0o004 != 0
}

// stat is what stands at an absolute path, links followed.
func (s *service) stat(name string) (entry, bool) {
	info, err := fs.Stat(s.host, strings.TrimPrefix(name, "/"))
	if err != nil {
		return entry{}, false
	}
	return toEntry(name, info), true
}

func toEntry(name string, info fs.FileInfo) entry {
	e := entry{path: name, mode: info.Mode()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		e.Owner = accounts.Owner{UID: int(st.Uid), GID: int(st.Gid)}
	}
	return e
}

// below gives what is at a path and below it, the path first; links are not followed.
func (s *service) below(name string) (all []entry) {
	root := strings.TrimPrefix(name, "/")
	_ = fs.WalkDir(s.host, root, func(at string, d fs.DirEntry, err error) error {
		if err != nil || len(all) >= maxEntries {
			return nil // what root itself cannot read tells nothing
		}
		if info, err := d.Info(); err == nil {
			all = append(all, toEntry("/"+at, info))
		}
		return nil
	})
	if len(all) > 0 {
		if e, ok := s.stat(name); ok { // a link in its place
			all[0] = e
		}
	}
	return all
}

// ownersOf are the different owners of entries.
func ownersOf(all []entry) (owners []accounts.Owner) {
	for _, e := range all {
		if !slices.Contains(owners, e.Owner) {
			owners = append(owners, e.Owner)
		}
	}
	return owners
}

// under says whether a path is one of the folders or lies in one.
func under(name string, folders []string) bool {
	return slices.ContainsFunc(folders, func(f string) bool {
		return name == f || strings.HasPrefix(name, f+"/")
	})
}

// maxAccounts is how long /etc/passwd may be, in bytes.
const maxAccounts = 4 << 20

// readAccounts reads the host's users and groups. Without their files there are none.
func readAccounts(host fs.FS) accounts.Accounts {
	passwd, _ := hostfile.Read(host, "etc/passwd", maxAccounts)
	group, _ := hostfile.Read(host, "etc/group", maxAccounts)
	return accounts.Parse(string(passwd), string(group))
}
