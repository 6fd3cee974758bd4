package access

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/figures"
	"github.com/sbx-dev/sbx/internal/within"
	"github.com/sbx-dev/sbx/schema"
)

// kernels are the folders of the kernel's own files, and sbx's, in every sandbox.
var kernels = []string{"/proc", "/sys", "/dev", "/.sbx"}

// mostLinks is how many links of the sandbox's root are followed.
const mostLinks = 8

// find follows the links of the sandbox's root, which stand in its manifest, and finds
// what shows the path. by names the links on the way.
func (q *question) find() (by string, err error) {
	for range mostLinks {
		if q.mount = q.shownBy(q.Path); q.mount != nil {
			break
		}
		i := slices.IndexFunc(q.manifest.Root, func(n manifest.Node) bool {
			return n.Kind == manifest.Link && within.Dir(q.Path, n.Path)
		})
		if i < 0 {
			break
		}
		link := q.manifest.Root[i]
		to := link.Link
		if !path.IsAbs(to) {
			to = path.Join(path.Dir(link.Path), to)
		}
		q.Path = move(q.Path, link.Path, to)
		by += fmt.Sprintf(", by the link %s", link.Path)
	}
	if q.mount == nil {
		return by, q.findUnmounted()
	}
	if isOfHost(*q.mount) {
		q.source = move(q.Path, q.mount.Target, q.mount.Source)
	}
	return by, nil
}

// findUnmounted finds what is at a path that no mount shows.
func (q *question) findUnmounted() error {
	if q.device = slices.Index(q.manifest.Devices, q.Path); q.device >= 0 {
		q.source = q.Path
		return nil
	}
	for _, k := range kernels {
		if within.Dir(q.Path, k) {
			return fmt.Errorf("%s is not of the profile: what is in %s is there for every sandbox, made by the kernel, libvirt and sbx, and explain tells of what a profile opens", q.Path, k)
		}
	}
	q.folder = q.Path == "/" || slices.ContainsFunc(q.manifest.Root, func(n manifest.Node) bool { return n.Path == q.Path })
	return nil
}

// shownBy is the mount that a path belongs to: the deepest, and of two the later.
func (q *question) shownBy(at string) (found *manifest.Mount) {
	for i, m := range q.manifest.Mounts {
		if within.Dir(at, m.Target) && (found == nil || len(m.Target) >= len(found.Target)) {
			found = &q.manifest.Mounts[i]
		}
	}
	return found
}

// isOfHost says whether a mount shows a path of the host, and not what is made for the
// sandbox.
func isOfHost(m manifest.Mount) bool { return m.Kind == manifest.Export || m.Kind == manifest.Image }

// move is the path of p, which lies in from, in to.
func move(p, from, to string) string { return path.Join(to, strings.TrimPrefix(p, from)) }

// mounts is what the sandbox's mounts say, which show what is there.
func (q *question) mounts(by string) Answer {
	a := Answer{Wall: Mounts, Verdict: Refuses}
	var may bool
	switch {
	case q.device >= 0:
		a.Why, a.Place = "it is the host's device", schema.Elem("devices", q.device)
		if may = q.Way != Execute; !may {
			a.Why += ", and no program"
		}
	case q.folder:
		a.Why = "it is a folder of sbx's, read-only, for what the profile shows below it" + by
		may = q.Way != Write
	case q.mount == nil:
		a.Why, a.Place = q.absent()
		may = false
	case q.mount.Kind == manifest.Figures && !figures.Shown(move(q.Path, q.mount.Target, "/"+q.mount.Source)):
		a.Why, a.Place = fmt.Sprintf("it is none of the host's figures in /%s, which are all that is shown at %s", q.mount.Source, q.mount.Target)+by, q.place(*q.mount)
	case q.mount.Kind == manifest.Socket:
		a.Why, may = q.socket()
		a.Why, a.Place = a.Why+by, q.place(*q.mount)
	default:
		a.Why, a.Place = q.what()+by, q.place(*q.mount)
		may = q.Way != Write || isWritable(*q.mount)
	}
	if may {
		a.Verdict = Allows
	}
	return a
}

// what says what stands at the path.
func (q *question) what() string {
	switch {
	case q.source != "" && q.mount.Writable:
		return "it is the host's " + q.source + ", writable"
	case q.source != "":
		return "it is the host's " + q.source + ", read-only"
	case q.mount.Kind == manifest.Figures:
		return "it is of the host's figures in /" + q.mount.Source + ", read-only"
	case isWritable(*q.mount):
		return "it is in " + q.mount.Target + ", memory of the sandbox's own"
	}
	return "it is a file that sbx makes for the sandbox, read-only"
}

// socket says what stands in the folder of a socket between sandboxes. To connect is to
// write to the socket, and changes nothing of it.
func (q *question) socket() (why string, may bool) {
	m := q.mount
	whose, itself := "it is in the folder of a socket that this sandbox makes for "+strings.Join(m.To, ", "), q.Path == path.Join(m.Target, m.Source)
	if m.From != "" {
		whose = "it is in the folder of " + m.From + "'s socket, read-only"
	}
	switch {
	case q.Way == Execute:
		return whose + ", from which nothing runs", false
	case m.From != "" && itself:
		return fmt.Sprintf("it is %s's socket, to which this sandbox connects, and which it cannot replace", m.From), true
	}
	return whose, q.Way == Read || m.Writable
}

// isWritable says whether a mount can be written: memory always can.
func isWritable(m manifest.Mount) bool { return m.Writable || m.Kind == manifest.Tmpfs }

// absent says why nothing is at the path, and where what the host has there is shown,
// if it is.
func (q *question) absent() (why, place string) {
	for _, m := range slices.Backward(q.manifest.Mounts) {
		if !isOfHost(m) || !within.Dir(q.Path, m.Source) {
			continue
		}
		if inside := move(q.Path, m.Source, m.Target); q.shownBy(inside).Target == m.Target {
			return fmt.Sprintf("there is no such path inside: the host's %s is %s there", q.Path, inside), q.place(m)
		}
	}
	return "there is no such path inside: no line of the profile shows it", ""
}

// place is where the profile brings a mount; sbx's own have none.
func (q *question) place(m manifest.Mount) string {
	if m.Kind == manifest.Socket {
		return schema.Field("mounts", path.Join(m.Target, m.Source))
	}
	if _, named := q.profile.Mounts[m.Target]; named {
		return schema.Field("mounts", m.Target)
	}
	if i := slices.Index(q.profile.Expose, m.Target); i >= 0 {
		return schema.Elem("expose", i)
	}
	return ""
}
