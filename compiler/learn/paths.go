package learn

import (
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sbx-dev/sbx/internal/observed"
	"github.com/sbx-dev/sbx/internal/rootsockets"
	"github.com/sbx-dev/sbx/internal/within"
	"github.com/sbx-dev/sbx/schema"
)

// exposeList is where the paths of the host stand that exist inside.
const exposeList = "expose"

// mount is something of the host's, or of the profile's own, at a path inside.
type mount struct {
	at       string // inside
	path     string // in the profile
	host     string // empty: it is not the host's
	writable bool
}

// mountsOf are a profile's, those that lie deeper first.
func mountsOf(p *schema.Profile) (list []mount) {
	for i, at := range p.Expose {
		list = append(list, mount{at: at, path: schema.Elem(exposeList, i), host: at})
	}
	for _, at := range slices.Sorted(maps.Keys(p.Mounts)) {
		m := p.Mounts[at]
		list = append(list, mount{at, schema.Field("mounts", at), m.Host, m.Writable || m.Tmpfs != 0 || m.Image != ""})
	}
	slices.SortStableFunc(list, func(a, b mount) int { return strings.Count(b.at, "/") - strings.Count(a.at, "/") })
	return list
}

// mountOf is what a path inside belongs to; nil for what is sbx's own.
func (s *student) mountOf(p string) *mount {
	for i := range s.mounts {
		if within.Dir(p, s.mounts[i].at) {
			return &s.mounts[i]
		}
	}
	return nil
}

// stands says whether a folder exists inside only because something lies in it.
func (s *student) stands(dir string) bool {
	return slices.ContainsFunc(s.mounts, func(m mount) bool { return within.Dir(m.at, dir) })
}

// kernels are folders that no profile exposes: the kernel's, and those that every sandbox
// has of its own.
var kernels = []string{"/dev", "/proc", "/sys", "/.sbx", "/run/secrets"}

// merged are links that a sandbox has by itself (file-hierarchy(7)).
var merged = map[string]string{"/bin": "/usr/bin", "/lib": "/usr/lib", "/lib64": "/usr/lib64", "/sbin": "/usr/sbin", "/var/run": "/run"}

// plain is a path without those links.
func plain(p string) string {
	for from, to := range merged {
		if within.Dir(p, from) {
			return to + strings.TrimPrefix(p, from)
		}
	}
	return p
}

// learnPaths looks at what programs were refused of files.
func (s *student) learnPaths() {
	for _, p := range s.Record.Paths {
		at := plain(p.Path)
		if strings.ContainsFunc(at, func(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }) {
			continue // no profile can name it
		}
		if at == "/" || slices.ContainsFunc(kernels, func(dir string) bool { return within.Dir(at, dir) }) {
			continue
		}
		switch p.Error {
		case "ENOENT":
			s.missing(p, at)
		case "EACCES", "EPERM", "EROFS":
			s.refused(p, at)
		}
	}
}

// missing is a path that does not exist inside. It is worth a word where the host has it.
func (s *student) missing(p observed.Path, at string) {
	if p.Write {
		if !removing[p.Call] && s.mountOf(at) == nil {
			s.folderToWrite(p, at)
		}
		return
	}
	at = s.firstMissing(at)
	if at == "" {
		return
	}
	if by := optional(at); by != "" {
		s.note(at, "%s asked for it and did without: %s", p.Program, by)
		return
	}
	info, err := s.stat(at)
	switch {
	case err != nil:
		return
	case info.Mode()&fs.ModeSocket != 0 && speaking[p.Call]:
		who := "who listens there on the host"
		if root := rootsockets.In(at); root != "" {
			who += ": " + root
		}
		if within.Dir(at, "/run/libvirt") {
			s.note(at, "%s wanted to speak with %s (%s): no profile can give it that", p.Program, who, p.Call)
			return
		}
		s.propose("mounts", strconv.Quote(at)+": {host: "+strconv.Quote(at)+", sockets: true}", "%s wanted to speak with %s (%s)", p.Program, who, p.Call)
		return
	case info.Mode()&(fs.ModeSocket|fs.ModeNamedPipe|fs.ModeDevice) != 0:
		s.note(at, "%s asked for it (%s): it is no plain file, and a mount with \"host\" and \"sockets: true\" would share it", p.Program, p.Call)
		return
	}
	s.propose(exposeList, strconv.Quote(s.unit(at, info)), "%s asked for %s, which does not exist inside and the host has", p.Program, p.Path)
}

// speaking are calls that connect to a socket, or send there.
var speaking = map[string]bool{"connect": true, "sendto": true, "sendmsg": true}

// removing are calls that find nothing to take away where there is nothing.
var removing = map[string]bool{"unlink": true, "unlinkat": true, "rmdir": true, "rename": true, "renameat": true, "renameat2": true}

// maxLinks is how many links the kernel follows (path_resolution(7)).
const maxLinks = 40

// firstMissing follows a path on the host, as the kernel does inside, and gives what
// does not exist there: the path itself, or where a link in it leads. It is empty where
// the host does not have it either, and where all of it exists inside.
func (s *student) firstMissing(at string) string {
	for range maxLinks {
		rest, done := strings.Split(strings.Trim(at, "/"), "/"), ""
		next := ""
		for i, name := range rest {
			done += "/" + name
			on := done
			if m := s.mountOf(done); m != nil && m.host != "" {
				on = m.host + strings.TrimPrefix(done, m.at)
			} else if m != nil {
				return "" // of the profile's own: what is there is not the host's matter
			} else if !s.stands(done) {
				if _, err := s.Host.Lstat(rootless(at)); err != nil {
					return ""
				}
				return at
			}
			info, err := s.Host.Lstat(rootless(on))
			if err != nil {
				return ""
			}
			if info.Mode()&fs.ModeSymlink == 0 {
				continue
			}
			target, err := s.Host.ReadLink(rootless(on))
			if err != nil {
				return ""
			}
			if !path.IsAbs(target) {
				target = path.Join(path.Dir(done), target)
			}
			next = plain(path.Join(append([]string{target}, rest[i+1:]...)...))
			break
		}
		if next == "" {
			return ""
		}
		at = next
	}
	return ""
}

// rootless is a path as package fs has it.
func rootless(p string) string {
	if p = strings.TrimPrefix(p, "/"); p == "" {
		return "."
	}
	return p
}

// stat follows links, on the host.
func (s *student) stat(p string) (fs.FileInfo, error) { return fs.Stat(s.Host, rootless(p)) }

// unit is what to expose for a path: a program's files lie together in a folder, so that
// where all of the folder is missing, it is the folder. One that many programs share is
// never meant as a whole.
func (s *student) unit(at string, info fs.FileInfo) string {
	dir := path.Dir(at)
	if info.IsDir() || s.stands(dir) || shared(dir) {
		return at
	}
	return dir
}

// shared says whether a folder holds what belongs to several programs or people
// (file-hierarchy(7)).
func shared(dir string) bool {
	switch path.Dir(dir) {
	case "/", "/home", "/media", "/mnt", "/run/user", "/usr", "/var":
		return true
	}
	return slices.Contains([]string{"/usr/local/bin", "/usr/local/etc", "/usr/local/lib", "/etc/alternatives", "/etc/default", "/etc/ssl", "/etc/ssl/certs", "/etc/ssl/private", "/run/systemd"}, dir)
}

// refused is a path that exists inside, where the kernel said no.
func (s *student) refused(p observed.Path, at string) {
	m := s.mountOf(at)
	switch {
	case p.Write && (strings.Contains(p.Call, "chown") || strings.Contains(p.Call, "chmod") || strings.HasPrefix(p.Call, "mknod")):
		return // what was refused is a capability
	case p.Write && (m == nil || !m.writable):
		if s.reads(p) {
			s.note(p.Path, "%s may not write it and reads it all the same", p.Program)
			return
		}
		s.folderToWrite(p, at)
	default:
		how := "read"
		if p.Write {
			how = "write"
		}
		s.note(p.Path, "%s may not %s it: its owner and mode say so, not the profile; see docs/users.md, and the field ids of mounts", p.Program, how)
	}
}

// reads says whether the program reads what it may not write.
func (s *student) reads(p observed.Path) bool {
	return slices.ContainsFunc(s.Record.Paths, func(o observed.Path) bool {
		return o.Path == p.Path && o.Program == p.Program && !o.Write && o.Error == ""
	})
}

// passing are folders whose content nobody needs after a restart.
var passing = []string{"/run", "/tmp", "/var/tmp", "/var/cache", "/var/lock"}

// folderToWrite proposes a folder for what a program wants to write.
func (s *student) folderToWrite(p observed.Path, at string) {
	dir := path.Dir(at)
	if strings.HasPrefix(p.Call, "mkdir") && !shared(at) {
		if info, err := s.stat(at); err == nil && info.IsDir() {
			dir = at
		}
	}
	for _, folder := range passing {
		if !within.Dir(dir, folder) {
			continue
		}
		s.propose("mounts", strconv.Quote(dir)+`: {tmpfs: "16MiB"}`, "%s wants to write %s (%s: %s)", p.Program, p.Path, p.Call, p.Error)
		return
	}
	info, err := s.stat(dir)
	if err != nil || !info.IsDir() || shared(dir) || dir == "/" {
		s.note(p.Path, "%s wants to write it (%s: %s), and the host has no folder of its own for it: give it a mount, \"tmpfs\" or \"host\" with \"writable: true\"", p.Program, p.Call, p.Error)
		return
	}
	s.propose("mounts", strconv.Quote(dir)+": {host: "+strconv.Quote(dir)+", writable: true}", "%s wants to write %s (%s: %s)", p.Program, p.Path, p.Call, p.Error)
}

func unquote(text string) string {
	if plain, err := strconv.Unquote(text); err == nil {
		return plain
	}
	return text
}
