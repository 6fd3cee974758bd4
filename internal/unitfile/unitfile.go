// Package unitfile reads systemd's service units as systemd does: with their
// drop-ins, later settings over earlier ones, and specifiers filled in. What it reads
// is text of others; a file that cannot be read as a unit is an error.
package unitfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/coreos/go-systemd/v22/unit"
)

// maxFile is how long a unit or drop-in may be, in bytes, and maxDropIns how many a
// unit may have.
const (
	maxFile    = 256 << 10
	maxDropIns = 256
)

// folders are where units are, the first one before the others; systemd.unit(5).
var folders = []string{
	"etc/systemd/system",
	"run/systemd/system",
	"usr/local/lib/systemd/system",
	"usr/lib/systemd/system",
	"lib/systemd/system",
}

// ErrNone is what the error of [Read] begins with where no file is the unit's.
var ErrNone = errors.New("there is no unit")

// Setting is one line of a unit.
type Setting struct {
	Section string // "Service"
	Name    string // "ExecStart"
	Value   string
	File    string // where it stands, as an absolute path
}

// Unit is a unit as systemd would run it.
type Unit struct {
	Name  string   // with its instance, "postgresql@15-main.service"
	Host  string   // what %H and %l stand for; "" leaves them as they are
	Files []string // what was read, absolute, the unit itself first

	settings []Setting
}

// Read finds a unit in a host's files, with its drop-ins. The name of an alias leads
// to the unit that it stands for.
func Read(host fs.FS, name string) (*Unit, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if prefix, ok := strings.CutSuffix(name, "@.service"); ok {
		return nil, fmt.Errorf("%s is a template, of which only instances run: name one, %s@NAME.service", name, prefix)
	}
	file, real, err := find(host, name)
	if err != nil {
		return nil, err
	}
	u := &Unit{Name: real}
	files := []string{file}
	dropIns, err := findDropIns(host, real)
	if err != nil {
		return nil, err
	}
	for _, f := range append(files, dropIns...) {
		if err := u.add(host, f); err != nil {
			return nil, err
		}
	}
	return u, nil
}

// New is a unit that stands in no file.
func New(name string, settings ...Setting) *Unit { return &Unit{Name: name, settings: settings} }

func checkName(name string) error {
	base, ok := strings.CutSuffix(name, ".service")
	if !ok || base == "" || base == "@" || len(name) > 255 || strings.Trim(base, letters) != "" {
		return fmt.Errorf("%q is not the name of a service's unit: want one as in \"nginx.service\"", name)
	}
	return nil
}

// letters are what the name of a unit is made of; systemd.unit(5).
const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@"

// template is the unit that an instance is made of; "" where name is no instance.
func template(name string) string {
	prefix, rest, ok := strings.Cut(name, "@")
	if !ok || rest == ".service" {
		return ""
	}
	return prefix + "@.service"
}

// find gives the file of a unit, and its name where name is an alias.
func find(host fs.FS, name string) (file, real string, err error) {
	for _, n := range []string{name, template(name)} {
		if n == "" {
			continue
		}
		for _, folder := range folders {
			at := path.Join(folder, n)
			info, err := fs.Lstat(host, at)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return "", "", err
			}
			return follow(host, name, at, info)
		}
	}
	return "", "", fmt.Errorf("%w %s in %s", ErrNone, name, strings.Join(absolute(folders), ", "))
}

// follow reads a link in the place of a unit: to nothing (masked), or to the unit
// that it is another name of.
func follow(host fs.FS, name, at string, info fs.FileInfo) (file, real string, err error) {
	if info.Mode()&fs.ModeSymlink == 0 {
		return at, name, nil
	}
	to, err := fs.ReadLink(host, at)
	if err != nil {
		return "", "", err
	}
	if to == "/dev/null" {
		return "", "", fmt.Errorf("%s is masked: /%s leads to /dev/null", name, at)
	}
	alias := path.Base(to)
	if template(name) == alias || path.Base(at) == alias || checkName(alias) != nil {
		return at, name, nil
	}
	if strings.HasSuffix(alias, "@.service") { // an alias of a template
		_, instance, _ := strings.Cut(name, "@")
		alias = strings.TrimSuffix(alias, ".service") + instance
	}
	return at, alias, nil
}

// findDropIns gives the drop-ins of a unit in the order in which they are read: by
// file name, of the same name that of the first folder.
func findDropIns(host fs.FS, name string) ([]string, error) {
	byName := map[string]string{}
	for _, owner := range dropInOwners(name) {
		for _, folder := range folders {
			in := path.Join(folder, owner+".d")
			entries, err := fs.ReadDir(host, in)
			if err != nil {
				continue // most have none
			}
			for _, e := range entries {
				if strings.HasSuffix(e.Name(), ".conf") && byName[e.Name()] == "" {
					byName[e.Name()] = path.Join(in, e.Name())
				}
			}
		}
	}
	if len(byName) > maxDropIns {
		return nil, fmt.Errorf("%s has %d drop-ins: at most %d are read", name, len(byName), maxDropIns)
	}
	var files []string
	for _, n := range slices.Sorted(maps.Keys(byName)) {
		files = append(files, byName[n])
	}
	return files, nil
}

// dropInOwners are the names whose drop-ins a unit has, the nearest first: its own,
// its template's, those of each prefix that ends in "-", and all services'.
func dropInOwners(name string) []string {
	owners := []string{name}
	if t := template(name); t != "" {
		owners = append(owners, t)
	}
	base, _, _ := strings.Cut(strings.TrimSuffix(name, ".service"), "@")
	for i := len(base) - 2; i > 0; i-- {
		if base[i] == '-' {
			owners = append(owners, base[:i+1]+".service")
		}
	}
	return append(owners, "service")
}

// add reads one file of the unit.
func (u *Unit) add(host fs.FS, file string) error {
	data, err := readBounded(host, file)
	if err != nil {
		return err
	}
	options, err := parse(data)
	if err != nil {
		return fmt.Errorf("/%s is not a unit: %w", file, err)
	}
	u.Files = append(u.Files, "/"+file)
	for _, o := range options {
		value := strings.TrimSpace(strings.ReplaceAll(o.Value, "\\\n", " "))
		u.settings = append(u.settings, Setting{o.Section, o.Name, value, "/" + file})
	}
	return nil
}

// ReadFile reads one file in a unit's form, which need be none of systemd's.
func ReadFile(host fs.FS, file string) (*Unit, error) {
	u := &Unit{Name: path.Base(file)}
	if err := u.add(host, file); err != nil {
		return nil, err
	}
	return u, nil
}

// parse is the maintained parser, which knows no comment between continued lines.
func parse(data []byte) ([]*unit.UnitOption, error) {
	return unit.DeserializeOptions(bytes.NewReader(withoutComments(data)))
}

// withoutComments takes out the lines that are comments, which may stand within a
// value that goes on in the next line.
func withoutComments(data []byte) []byte {
	var kept [][]byte
	for line := range bytes.Lines(data) {
		text := bytes.TrimLeft(line, " \t")
		if len(text) > 0 && (text[0] == '#' || text[0] == ';') {
			continue
		}
		kept = append(kept, line)
	}
	return bytes.Join(kept, nil)
}

// readBounded reads a regular file. A link is followed, as systemd does.
func readBounded(host fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(host, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil // an empty drop-in: a link to /dev/null
	}
	f, err := host.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("/%s is longer than %d bytes", name, maxFile)
	}
	return data, err
}

// All gives what a setting that is a list holds: all its values after the last empty
// one, with specifiers filled in.
func (u *Unit) All(section, name string) []Setting {
	var all []Setting
	for _, s := range u.settings {
		switch {
		case s.Section != section || s.Name != name:
		case s.Value == "":
			all = nil
		default:
			s.Value = u.expand(s.Value)
			all = append(all, s)
		}
	}
	return all
}

// Last gives a setting that is one value: its last one.
func (u *Unit) Last(section, name string) (Setting, bool) {
	all := u.All(section, name)
	if len(all) == 0 {
		return Setting{}, false
	}
	return all[len(all)-1], true
}

// Names are the settings that a section holds and that are not empty, sorted.
func (u *Unit) Names(section string) []string {
	names := map[string]string{}
	for _, s := range u.settings {
		if s.Section == section && len(u.All(section, s.Name)) > 0 {
			names[s.Name] = s.Name
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// Instance is what stands between "@" and ".service".
func (u *Unit) Instance() string {
	_, rest, _ := strings.Cut(u.Name, "@")
	return strings.TrimSuffix(rest, ".service")
}

func absolute(names []string) []string {
	all := make([]string, len(names))
	for i, n := range names {
		all[i] = "/" + n
	}
	return all
}
