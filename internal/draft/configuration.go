package draft

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"cuelang.org/go/cue/ast"

	"github.com/sbx-dev/sbx/internal/draft/cuetext"
	"github.com/sbx-dev/sbx/internal/draft/hostfile"
	"github.com/sbx-dev/sbx/internal/draft/mentions"
	"github.com/sbx-dev/sbx/internal/draft/profile"
)

// place is a path that is to be inside.
type place struct {
	path     string
	why      string
	ids      []string // not empty: it is a mount of its own
	writable bool
	made     bool   // it is not there yet, and sbx makes it
	mode     string // of what is made; "" for the usual one
}

// shared are folders of /etc that belong to no service, or that are for tools that
// look at services from outside.
var shared = []string{
	"NetworkManager", "alternatives", "apparmor", "apparmor.d", "bash_completion.d", "cron.d", "cron.daily",
	"cron.hourly", "cron.monthly", "cron.weekly", "dbus-1", "default", "dhcp", "init.d", "insserv.conf.d",
	"kernel", "logcheck", "logrotate.d", "modprobe.d", "network", "pam.d", "polkit-1", "ppp", "profile.d",
	"rc0.d", "rc1.d", "rc2.d", "rc3.d", "rc4.d", "rc5.d", "rc6.d", "rcS.d", "resolvconf", "rsyslog.d", "runit",
	"security", "skel", "ssl", "sudoers.d", "sv", "sysctl.d", "sysusers.d", "systemd", "tmpfiles.d", "udev", "ufw", "xdg",
}

// never are files that no profile exposes because a configuration names them.
var never = []string{"/etc/shadow", "/etc/gshadow", "/etc/sudoers", "/etc/sudoers.d", "/etc/machine-id", "/root", "/home", "/proc", "/sys", "/dev", "/run"}

// configuration is what of /etc the service reads: what its packages have there,
// what its command names, and what these files name in turn.
func (s *service) configuration() []place {
	var places []place
	add := func(name, why string) {
		name = profile.Path(name)
		if name == "" || under(name, paths(places)) || under(name, s.known.Closed) {
			return
		}
		if _, ok := s.stat(name); !ok {
			return
		}
		places = append(places, place{path: name, why: why})
	}
	for _, p := range s.packages {
		files, _ := s.db.Files(p)
		for _, f := range files {
			step, inEtc := strings.CutPrefix(f, "/etc/")
			step, below, _ := strings.Cut(step, "/")
			switch {
			case !inEtc || slices.Contains(shared, step) || s.isOfAnother(step):
			case below == "" && p.Conffiles[f] != "":
				add(f, "conffile of "+p.Name)
			default:
				add("/etc/"+step, "configuration of "+p.Name)
			}
		}
	}
	for _, setting := range s.unit.All("Service", "ConfigurationDirectory") {
		for name := range strings.FieldsSeq(setting.Value) {
			if under(profile.Path("/etc/"+name), []string{"/etc"}) {
				add("/etc/"+name, "ConfigurationDirectory of the unit")
			}
		}
	}
	s.done("ConfigurationDirectory", "ConfigurationDirectoryMode")
	for _, c := range s.conditions() {
		add(c.path, c.why)
	}
	for _, arg := range s.argv[1:] {
		for _, name := range mentions.Of(arg) {
			if strings.HasPrefix(name, "/etc/") {
				add(name, "named in the command")
			}
			s.mention(place{path: name, why: "named in the command"})
		}
	}
	for _, v := range s.env {
		for _, name := range mentions.Of(v.Value) {
			s.mention(place{path: name, why: "named by " + v.Name})
		}
	}
	for _, e := range s.known.Expose {
		add(e.Name, e.Why)
	}
	for _, n := range s.named(paths(places)) {
		add(n.path, n.why)
	}
	places = outermost(places)
	for i := range places {
		s.closedTo(&places[i])
		if slices.Contains(s.known.Owned, places[i].path) && !slices.Contains(places[i].ids, "root") {
			places[i].ids = append(places[i].ids, "root")
			places[i].why += ", which must be root's: ids"
		}
	}
	return places
}

// isOfAnother says whether a folder of /etc is that of another service, the one whose
// package has its name: what this one's have in it is for that service. A package that
// is depended on brings what all its dependents read.
func (s *service) isOfAnother(folder string) bool {
	p := s.db.Package(folder)
	if p == nil || slices.Contains(s.packages, p) {
		return false
	}
	for _, own := range s.packages {
		for _, names := range own.Depends {
			if slices.Contains(names, p.Name) {
				return false
			}
		}
	}
	files, err := s.db.Files(p)
	return err == nil && slices.Contains(files, "/etc/"+folder)
}

// conditions are what must be there for the unit to start, as far as it is the service's.
func (s *service) conditions() (all []place) {
	for _, kind := range []string{"PathExists", "PathIsDirectory", "FileNotEmpty", "DirectoryNotEmpty"} {
		for _, setting := range []string{"Condition" + kind, "Assert" + kind} {
			for _, v := range s.unit.All("Unit", setting) {
				name := profile.Path(v.Value) // "!" and "|" before it ask for something else
				if name == "" || under(name, never) {
					continue
				}
				if _, ok := s.stat(name); !ok {
					s.edit("expose: %s is not there, and without it the unit does not start (%s=): make it, and draft again", name, setting)
				} else if s.worthNaming(name) {
					all = append(all, place{path: name, why: setting + " of the unit"})
				}
			}
		}
	}
	return all
}

// outermost are the places that lie in no other, each once: what holds a place has it
// already.
func outermost(places []place) (all []place) {
	for i, p := range places {
		held := slices.ContainsFunc(places[:i], func(o place) bool { return under(p.path, []string{o.path}) }) ||
			slices.ContainsFunc(places[i+1:], func(o place) bool { return p.path != o.path && under(p.path, []string{o.path}) })
		if !held {
			all = append(all, p)
		}
	}
	return all
}

func paths(places []place) (all []string) {
	for _, p := range places {
		all = append(all, p.path)
	}
	return all
}

// closedTo gives a place the ids that its service needs to read it where not
// everybody may.
func (s *service) closedTo(p *place) {
	var closed []entry
	for _, e := range s.below(p.path) {
		if !e.readableByAll() && (s.isRoot() || e.UID != 0 || e.GID != 0) {
			closed = append(closed, e)
		}
	}
	if len(closed) == 0 {
		return
	}
	p.ids = s.accounts.IDs(ownersOf(closed))
	if !s.isRoot() && !keyOfRoot(closed) {
		p.ids = slices.DeleteFunc(p.ids, func(n string) bool { return n == "root" })
	}
	p.why = fmt.Sprintf("%s, %04o %s: ids", p.why, closed[0].mode.Perm(), s.accounts.Describe(closed[0].Owner))
}

// keyOfRoot says whether it is a private key of root's: what reads one asks whose it is.
func keyOfRoot(closed []entry) bool {
	name := closed[0].path
	return len(closed) == 1 && closed[0].UID == 0 && (strings.Contains(name, "/private/") || strings.HasSuffix(name, ".key") || strings.HasSuffix(name, ".pem"))
}

// The most that is read of a service's configuration for the paths in it.
const (
	maxConfigFile  = 256 << 10
	maxConfigFiles = 1000
	maxNamed       = 64
)

// named are paths that configuration names and that are on the host, outside of what
// every sandbox has or what is written to. Pages and data name paths for whoever reads
// them.
func (s *service) named(roots []string) (all []place) {
	seen, files := map[string]bool{}, 0
	for _, root := range roots {
		if !under(root, []string{"/etc"}) {
			continue
		}
		for _, e := range s.below(root) {
			if files++; files > maxConfigFiles || len(all) >= maxNamed {
				return all
			}
			for _, n := range s.namedIn(e) {
				if !seen[n.path] {
					seen[n.path] = true
					all = append(all, n)
				}
			}
		}
	}
	return all
}

// namedIn are those of one file; of a link, what it leads to.
func (s *service) namedIn(e entry) (all []place) {
	if e.mode&fs.ModeSymlink != 0 {
		to, err := fs.ReadLink(s.host, strings.TrimPrefix(e.path, "/"))
		if !path.IsAbs(to) {
			to = path.Join(path.Dir(e.path), to)
		}
		switch to = profile.Path(to); {
		case err != nil:
		case under(to, []string{"/etc/alternatives"}):
			all = append(all, place{path: "/etc/alternatives", why: e.path + " leads there"})
		case s.worthNaming(to):
			all = append(all, place{path: to, why: e.path + " leads there"})
		}
	}
	if e.mode.IsDir() || mentions.ForPeople(e.path) {
		return all
	}
	data, err := hostfile.Read(s.host, strings.TrimPrefix(e.path, "/"), maxConfigFile)
	if err != nil {
		return all
	}
	for _, m := range mentions.In(data) {
		p := place{path: m.Path, why: fmt.Sprintf("named in %s:%d", e.path, m.Line)}
		if s.worthNaming(m.Path) {
			all = append(all, p)
		}
		s.mention(p)
	}
	return all
}

// worthNaming says whether a path that a configuration names is to be inside for that
// alone: a file of /etc, or pages and data in a folder that is made for it.
func (s *service) worthNaming(name string) bool {
	if under(name, never) || strings.Count(name, "/") < 2 {
		return false
	}
	_, ok := s.stat(name)
	return ok && under(name, []string{"/etc", "/srv", "/var/www", "/opt"}) && !slices.Contains([]string{"/etc/ssl", "/etc/ssl/private", "/etc/default"}, name)
}

// usualFiles are what nearly every program reads.
var usualFiles = []place{
	{path: "/usr", why: "programs and libraries"},
	{path: "/etc/ld.so.cache", why: "where libraries are"},
	{path: "/etc/passwd", why: "the names of users"},
	{path: "/etc/group", why: "the names of groups"},
	{path: "/etc/nsswitch.conf", why: "where names are looked up"},
	{path: "/etc/localtime", why: "the time zone of its log"},
}

// expose is the list of what is there read-only for everybody, without what lies in a
// place that has a mount of its own.
func (s *service) expose(places []place) ast.Expr {
	var mounts []string
	all := slices.Concat(usualFiles, s.linked())
	for _, p := range places {
		if len(p.ids) > 0 || p.writable {
			mounts = append(mounts, p.path)
		} else {
			all = append(all, p)
		}
	}
	var items []cuetext.Item
	for _, p := range outermost(all) {
		if _, ok := s.stat(p.path); ok && !under(p.path, mounts) {
			items = append(items, cuetext.Item{Value: cuetext.Text(p.path), Remark: p.why})
		}
	}
	return cuetext.Lines(items)
}
