package draft

import (
	"path"
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/internal/dpkg"
	"github.com/sbx-dev/sbx/internal/draft/accounts"
	"github.com/sbx-dev/sbx/internal/draft/profile"
)

// isState says whether a path is that of a service's data, which is below a folder of
// stateFolders.
func isState(name string) bool { return under(name, stateFolders) && strings.Count(name, "/") >= 3 }

// mention takes up a place of data that the service's own texts name.
func (s *service) mention(p place) {
	if (isState(p.path) || isRuntime(p.path)) && len(s.mentioned) < maxNamed {
		s.mentioned = append(s.mentioned, p)
	}
}

// isRuntime says whether a path is below a folder of /run, or is one.
func isRuntime(name string) bool { return under(name, []string{"/run"}) && name != "/run" }

// runtime are the folders of /run that the service's own texts name, without those that
// the host has and that are another's.
func (s *service) runtime() (all []memory) {
	for _, m := range s.mentioned {
		if !isRuntime(m.path) || s.isRoot() {
			continue // root makes its own
		}
		folder := m.path
		if e, ok := s.stat(folder); !ok || !e.mode.IsDir() {
			folder = path.Dir(folder)
		}
		if e, ok := s.stat(folder); isRuntime(folder) && (!ok || s.owns(e)) {
			all = append(all, memory{path: folder, why: m.why})
		}
	}
	return all
}

// own is the data that no package lists, as what installs one makes it: what the
// service's own texts name, and its user's home.
func (s *service) own() (all []place) {
	for _, m := range s.mentioned {
		if !isState(m.path) {
			continue
		}
		e, ok := s.stat(m.path)
		if folder := path.Dir(m.path); (!ok || !e.mode.IsDir()) && isState(folder) {
			if f, found := s.stat(folder); found && s.owns(f) { // it makes such files there
				m.path, e, ok = folder, f, true
			}
		}
		switch {
		case !ok:
		case s.owns(e):
			m.writable = true
			all = append(all, m)
		case e.UID == 0 && e.readableByAll():
			all = append(all, m)
		}
	}
	if u, ok := s.runs(); ok {
		home := profile.Path(u.Home)
		if e, ok := s.stat(home); ok && isState(home) && s.owns(e) && !s.isOthers(home) {
			all = append(all, place{path: home, why: "the home of " + u.Name, writable: true})
		}
	}
	slices.SortStableFunc(all, func(a, b place) int { return strings.Compare(a.path, b.path) })
	return all
}

// owns says whether a place is the service's to write: its user's, or its group's. Whom
// one becomes that starts as root nobody knows, and what it names may be another's.
func (s *service) owns(e entry) bool {
	u, ok := s.runs()
	return ok && !s.isRoot() && (e.UID == u.UID || e.GID == u.GID && e.mode.Perm()&0o020 != 0)
}

// runs is the account that the service runs as, with the group that its unit gives it.
func (s *service) runs() (accounts.Account, bool) {
	user, group, _ := strings.Cut(s.user, ":")
	u, ok := s.accounts.User(user)
	if gid, known := s.accounts.Group(group); known {
		u.GID = gid
	}
	return u, ok
}

// isOthers says whether packages list a place, and none of the service's own.
func (s *service) isOthers(name string) bool {
	if s.db == nil {
		return false
	}
	owners, err := s.db.Owner(name)
	return err != nil || len(owners) > 0 && !slices.ContainsFunc(owners, func(p *dpkg.Package) bool { return slices.Contains(s.packages, p) })
}
