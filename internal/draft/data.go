package draft

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/internal/draft/accounts"
	"github.com/sbx-dev/sbx/internal/draft/hostfile"
	"github.com/sbx-dev/sbx/internal/draft/profile"
)

// memory is a folder in memory.
type memory struct {
	path, why, owner, mode, size string
}

// stateFolders are where data of services is.
var stateFolders = []string{"/var/lib", "/var/log", "/var/cache", "/var/spool"}

// data is the folders of the host that the service writes, and those that it has
// there to read.
func (s *service) data(configuration []place) (places []place) {
	candidates := s.explicit()
	for _, d := range s.known.Data {
		candidates = append(candidates, place{path: d.Name, why: d.Why, writable: true})
	}
	for _, f := range s.files {
		if e, ok := s.stat(f); ok && e.mode.IsDir() && isState(f) {
			candidates = append(candidates, place{path: f, why: "folder of its packages"})
		}
	}
	candidates = append(candidates, s.own()...)
	var roots []place
	for _, c := range candidates {
		if c.made && !under(c.path, slices.Concat(s.known.Closed, s.scratchPaths(), paths(places))) {
			places = append(places, c)
			continue
		}
		e, ok := s.stat(c.path)
		if !ok || !e.mode.IsDir() && !e.mode.IsRegular() || under(c.path, append(s.known.Closed, "/var/log/runit")) || under(c.path, s.scratchPaths()) || under(c.path, paths(configuration)) {
			continue
		}
		if under(c.path, paths(places)) || !s.writes(c, e) {
			roots = append(roots, c)
			continue
		}
		places = append(places, s.writtenTo(c, e))
	}
	for _, c := range roots { // what is root's is there to be read, such as an empty folder to be locked up in
		if !under(c.path, paths(places)) && !slices.ContainsFunc(places, func(p place) bool { return strings.HasPrefix(p.path, c.path+"/") }) {
			places = append(places, place{path: c.path, why: c.why + ", root's: a mount with writable would open it"})
		}
	}
	return places
}

// explicit are the folders that the unit itself names.
func (s *service) explicit() (all []place) {
	for _, kind := range []struct{ setting, in string }{
		{"StateDirectory", "/var/lib/"}, {"LogsDirectory", "/var/log/"}, {"CacheDirectory", "/var/cache/"},
		{"ReadWritePaths", ""}, {"ReadWriteDirectories", ""},
	} {
		for _, setting := range s.unit.All("Service", kind.setting) {
			for word := range strings.FieldsSeq(setting.Value) {
				word = strings.TrimLeft(word, "-+")
				word, _, _ = strings.Cut(word, ":")
				name := profile.Path(kind.in + word)
				if name == "" || !strings.HasPrefix(name, kind.in) || under(name, []string{"/run", "/proc", "/sys", "/dev", "/tmp"}) || slices.Contains(stateFolders, name) {
					continue
				}
				p := place{path: name, why: kind.setting + " of the unit", writable: true}
				if _, ok := s.stat(name); !ok && kind.in != "" {
					p.made = s.makes(&p, kind.setting)
				}
				all = append(all, p)
			}
		}
		s.done(kind.setting, kind.setting+"Mode")
	}
	return all
}

// makes has sbx make a folder as systemd would, and says whether it can: not of a user
// that there is only while the service runs.
func (s *service) makes(p *place, setting string) bool {
	u, ok := s.runs()
	if !ok {
		s.edit("mounts: %s is not there yet (%s): systemd makes it; make it, or say writable and sbx does", p.path, setting)
		return false
	}
	permission, _ := s.unit.Last("Service", setting+"Mode")
	p.ids, p.mode = s.accounts.IDs([]accounts.Owner{{UID: u.UID, GID: u.GID}}), mode(permission.Value)
	p.why += ", which is not there yet: sbx makes it, as systemd does"
	return true
}

// writes says whether the service writes to a folder: the unit says so, it is a log,
// or it belongs to another than root.
func (s *service) writes(c place, e entry) bool {
	return c.writable || e.UID != 0 || s.isRoot() && strings.HasPrefix(c.path, "/var/log/")
}

// writtenTo is a folder with the ids that own it and what is in it. Root's files in a
// folder of another's stay nobody's.
func (s *service) writtenTo(c place, e entry) place {
	owners := ownersOf(s.below(c.path))
	if e.UID != 0 {
		owners = slices.DeleteFunc(owners, func(o accounts.Owner) bool { return o.UID == 0 })
	}
	c.ids, c.writable = s.accounts.IDs(owners), true
	c.why = fmt.Sprintf("%s, %04o %s", c.why, e.mode.Perm(), s.accounts.Describe(e.Owner))
	return c
}

func (s *service) scratchPaths() (all []string) {
	for _, c := range s.known.Scratch {
		all = append(all, c.Name)
	}
	return all
}

// scratch is the folders in memory: those that systemd makes in /run, and what need
// not be kept.
func (s *service) scratch() []memory {
	all := []memory{}
	add := func(m memory) {
		m.path = profile.Path(m.path)
		if m.path == "" || slices.ContainsFunc(all, func(o memory) bool { return o.path == m.path }) {
			return
		}
		all = append(all, m)
	}
	for _, c := range s.known.Scratch {
		add(memory{path: c.Name, why: c.Why, owner: c.Owner, size: "64MiB"})
	}
	runtimeMode, _ := s.unit.Last("Service", "RuntimeDirectoryMode")
	for _, setting := range s.unit.All("Service", "RuntimeDirectory") {
		for word := range strings.FieldsSeq(setting.Value) {
			word, _, _ = strings.Cut(word, ":")
			if under(profile.Path("/run/"+word), []string{"/run"}) {
				add(memory{path: "/run/" + word, why: "RuntimeDirectory of the unit", mode: mode(runtimeMode.Value)})
			}
		}
	}
	s.done("RuntimeDirectory", "RuntimeDirectoryMode", "RuntimeDirectoryPreserve")
	for _, m := range s.tmpfiles() {
		add(m)
	}
	if pid, ok := s.unit.Last("Service", "PIDFile"); ok {
		name := profile.Path(pid.Value)
		if folder := name[:max(0, strings.LastIndexByte(name, '/'))]; under(folder, []string{"/run"}) {
			add(memory{path: folder, why: "PIDFile of the unit"})
		}
	}
	s.done("PIDFile")
	add(memory{path: "/tmp", why: "every program may want it", mode: "1777"})
	s.done("PrivateTmp")
	if !slices.ContainsFunc(all, func(m memory) bool { return under(m.path, []string{"/run"}) }) {
		add(memory{path: "/run", why: "for what it keeps while it runs"})
	}
	for _, m := range s.runtime() {
		if !slices.ContainsFunc(all, func(o memory) bool { return o.path != "/run" && under(m.path, []string{o.path}) }) {
			add(m)
		}
	}
	slices.SortStableFunc(all, func(a, b memory) int { return strings.Compare(a.path, b.path) })
	return all
}

// tmpfiles are the folders of /run in the packages' tmpfiles.d.
func (s *service) tmpfiles() (all []memory) {
	for _, f := range s.files {
		if !strings.HasPrefix(f, "/usr/lib/tmpfiles.d/") {
			continue
		}
		data, err := hostfile.Read(s.host, f[1:], maxConfigFile)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(data)) {
			w := strings.Fields(line)
			if len(w) < 2 || strings.Trim(w[0], "dD!-+=~^$") != "" {
				continue
			}
			if name := profile.Path(w[1]); under(name, []string{"/run"}) {
				m := memory{path: name, why: "tmpfiles.d of its package"}
				if len(w) >= 5 {
					m.mode = mode(w[2])
					if _, ok := s.accounts.User(w[3]); ok {
						m.owner = w[3]
					}
				}
				all = append(all, m)
			}
		}
	}
	return all
}

// mode is a permission as a profile writes it: without the set-id bits, which mean
// nothing inside; "" where it is the usual one.
func mode(text string) string {
	text = strings.TrimLeft(strings.Trim(text, "~:"), "0")
	if len(text) == 4 {
		if (text[0]-'0')&1 != 0 {
			text = "1" + text[1:]
		} else {
			text = text[1:]
		}
	}
	if len(text) < 3 || strings.Trim(text, "01234567") != "" || text == "755" {
		return ""
	}
	return strings.Repeat("0", 4-len(text)) + text
}
