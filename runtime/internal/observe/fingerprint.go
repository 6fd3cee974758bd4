package observe

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/internal/known"
	"github.com/sbx-dev/sbx/runtime/plan"
	"github.com/sbx-dev/sbx/schema"
)

// The names of a sandbox's objects, in plans, in drift and in its metadata.
const (
	DomainObject  = "domain"
	runningObject = "running domain"
	StateObject   = "state"
	filesObject   = "files"

	metadataObject = "metadata"
	portsObject    = "published ports"
	timerObject    = "timer"
	ProfileObject  = "apparmor profile"
	policyObject   = "selinux policy"
)

func FilterObject(name string) string         { return "filter " + name }
func NetworkObject(name string) string        { return "network " + name }
func runningNetworkObject(name string) string { return "running network " + name }
func RulesObject(device string) string        { return "rules of " + device }
func WallObject(filter string) string         { return "inner wall " + filter }
func GuardObject(filter string) string        { return "guard of " + filter }
func namesObject(network string) string       { return "names on " + network }
func nicObject(device string) string          { return "interface " + device }

// IsInnerWall says whether an object is an inner wall, or watches one: libvirt knows
// nothing of it.
func IsInnerWall(object string) bool {
	return strings.HasPrefix(object, WallObject("")) || strings.HasPrefix(object, GuardObject(""))
}

// IsWall says whether an object is an inner wall, or a filter: what stands around the
// domain and is no part of it.
func IsWall(object string) bool {
	return IsInnerWall(object) || strings.HasPrefix(object, FilterObject("")) || strings.HasPrefix(object, RulesObject(""))
}

// Fingerprints gives all that makes up a sandbox, by object.
func (o *Observed) Fingerprints() (map[string]string, error) {
	objects := map[string]string{}
	if o.Metadata == nil {
		return objects, nil
	}
	var failed error
	put := func(object, document string, of func(string) (string, error)) {
		if document == "" {
			objects[object] = "absent"
			return
		}
		print, err := of(document)
		failed = errors.Join(failed, err)
		objects[object] = print
	}
	put(DomainObject, o.defined, plan.DomainFingerprint)
	put(runningObject, o.running, plan.RunningFingerprint)
	for name, text := range o.filters {
		put(FilterObject(name), text, plan.FilterFingerprint)
	}
	for name, n := range o.networks {
		put(NetworkObject(name), n.Defined, plan.NetworkFingerprint)
		put(runningNetworkObject(name), n.Running, plan.NetworkFingerprint)
	}
	for _, c := range o.nics {
		objects[RulesObject(c.device)] = c.rules
		if c.wall != "" {
			objects[WallObject(c.filter)] = c.wall
		}
		objects[nicObject(c.device)] = c.place() + ", " + c.behind()
	}
	for network, records := range o.names {
		objects[namesObject(network)] = cmp.Or(records, "none")
	}
	maps.Copy(objects, o.sources)
	objects[portsObject] = cmp.Or(o.ports, "none")
	if o.Metadata.Every != "" {
		put(timerObject, o.timer, func(text string) (string, error) { return compiler.Digest([]byte(text)), nil })
	}
	objects[StateObject] = o.State
	objects[filesObject] = o.files
	if o.profile != "" {
		objects[ProfileObject] = o.confinement()
	}
	if o.policed {
		put(policyObject, string(o.policy), func(text string) (string, error) { return compiler.Digest([]byte(text)), nil })
	}
	return objects, failed
}

// Standing gives what Fingerprints does, but for what of a job comes and goes with its
// runs: what is decided about it holds whether one is under way or not.
func (o *Observed) Standing() (map[string]string, error) {
	objects, err := o.Fingerprints()
	if o.Metadata != nil && o.Metadata.Every != "" {
		maps.DeleteFunc(objects, func(object, _ string) bool { return object == StateObject || comesWithAStart(object) })
	}
	return objects, err
}

// comesWithAStart says whether an object is there, or looked at, only while the sandbox runs.
func comesWithAStart(object string) bool {
	of := func(prefix string) bool { return strings.HasPrefix(object, prefix) }
	return object == runningObject || object == ProfileObject || isSource(object) ||
		of(RulesObject("")) || of(WallObject("")) || of(nicObject("")) || of(namesObject(""))
}

// place says where an interface is.
func (c nic) place() string {
	if c.loose {
		return "not on " + c.bridge
	}
	return "on " + c.bridge
}

// behind says what an interface is behind.
func (c nic) behind() string {
	if c.bound == "" {
		return "behind no filter"
	}
	return "behind " + c.bound
}

// confinement says which profile the kernel has for the sandbox, and whether that
// one confines it.
func (o *Observed) confinement() string {
	if o.loose {
		return o.profile + ", and what runs is not in it"
	}
	return o.profile
}

// NewApplied notes the objects as what sbx has applied.
func NewApplied(objects map[string]string) *compiler.Applied {
	a := &compiler.Applied{At: time.Now().UTC().Format(time.RFC3339)}
	for _, name := range slices.Sorted(maps.Keys(objects)) {
		if isSource(name) {
			continue // it is noted from when the sandbox started
		}
		a.Objects = append(a.Objects, compiler.AppliedObject{Name: name, Fingerprint: objects[name]})
	}
	return a
}

// Noted are the fingerprints from when sbx last applied the sandbox; none when
// it has not noted any.
func Noted(m *compiler.Metadata) map[string]string {
	objects := map[string]string{}
	if m == nil || m.Applied == nil {
		return objects
	}
	for _, o := range m.Applied.Objects {
		objects[o.Name] = o.Fingerprint
	}
	for _, s := range m.Sources {
		objects[sourceObject(s)] = s.ID
	}
	return objects
}

// filesFingerprint is the digest of the names, owners, modes and contents of
// what sbx has made in a sandbox's folder.
func filesFingerprint(dir string, kind schema.Backend, job bool) (string, error) {
	var lines []string
	for _, part := range known.Of(kind).Made {
		err := filepath.WalkDir(filepath.Join(dir, part), func(path string, e fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			line, err := fileLine(path, e)
			lines = append(lines, strings.TrimPrefix(line, dir))
			return err
		})
		if err != nil {
			return "", err
		}
	}
	if _, err := os.Lstat(filepath.Join(dir, state.Channel)); err == nil && !job { // of which it comes and goes with the runs
		lines = append(lines, state.Channel)
	}
	return compiler.Digest([]byte(strings.Join(lines, "\n"))), nil
}

func fileLine(path string, e fs.DirEntry) (string, error) {
	info, err := e.Info()
	if err != nil {
		return "", err
	}
	owner := info.Sys().(*syscall.Stat_t)
	content := ""
	switch {
	case info.Mode().IsRegular():
		content, err = fileDigest(path)
	case info.Mode()&fs.ModeSymlink != 0:
		content, err = os.Readlink(path)
	}
	return fmt.Sprintf("%s %v %d:%d %q", path, info.Mode(), owner.Uid, owner.Gid, content), err
}

func fileDigest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// stoppedPrints are the fingerprints that follow from a domain's having been stopped.
func stoppedPrints(dom *libvirt.Domain) (map[string]string, error) {
	have := new(Observed)
	if err := have.domain(dom); err != nil {
		return nil, err
	}
	return map[string]string{StateObject: have.State, portsObject: "none"}, nil
}
