package draft

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/internal/dpkg"
	"github.com/sbx-dev/sbx/internal/draft/box"
	"github.com/sbx-dev/sbx/internal/draft/known"
	"github.com/sbx-dev/sbx/internal/draft/profile"
	"github.com/sbx-dev/sbx/internal/unitfile"
)

// Origins says what a profile can be drafted from.
const Origins = "unit:NAME.service, package:NAME, command:'/usr/bin/PROGRAM ARGUMENT…', pid:NUMBER, compose:FILE or quadlet:FILE"

// OfFile is the file that an origin names; "" where it is of another kind.
func OfFile(from string) string {
	kind, file, _ := strings.Cut(from, ":")
	if kind == "compose" || kind == "quadlet" {
		return file
	}
	return ""
}

// From drafts a profile of what from names, in the files of a host, whose root they are
// named from. name is what the profile is to be called; "" makes one of it. A compose
// file holds several; there, name is which of them is wanted, and "" is all.
func From(host fs.FS, from, name string) ([]*profile.Draft, error) {
	o := profile.Origin{Text: from, Name: name}
	if file, ok := strings.CutPrefix(from, "compose:"); ok && file != "" {
		return box.FromCompose(host, path.Clean(file), o)
	}
	d, err := fromOne(host, from, o)
	if d == nil {
		return nil, err
	}
	return []*profile.Draft{d}, err
}

func fromOne(host fs.FS, from string, o profile.Origin) (*profile.Draft, error) {
	kind, what, ok := strings.Cut(from, ":")
	if ok && what != "" {
		switch kind {
		case "unit":
			return fromUnit(host, what, o)
		case "package":
			return fromPackage(host, what, o)
		case "command":
			return fromCommand(host, what, o)
		case "pid":
			return fromProcess(host, what, o)
		case "quadlet":
			return box.FromQuadlet(host, path.Clean(what), o)
		}
	}
	return nil, fmt.Errorf("%q is nothing that a profile can be made from: want %s", from, Origins)
}

// fromPackage finds the one service of a package.
func fromPackage(host fs.FS, pkg string, o profile.Origin) (*profile.Draft, error) {
	db, err := dpkg.Open(host)
	if err != nil {
		return nil, fmt.Errorf("package:%s needs dpkg's database, and no other is read: %w", pkg, err)
	}
	if db.Package(pkg) == nil {
		return nil, fmt.Errorf("no package %s is installed", pkg)
	}
	var units, templates []string
	for _, p := range db.Siblings(pkg) {
		files, err := db.Files(p)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			dir, base := path.Split(f)
			switch {
			case !strings.HasSuffix(dir, "/systemd/system/") || !strings.HasSuffix(base, ".service"):
			case strings.HasSuffix(base, "@.service"):
				templates = append(templates, base)
			default:
				units = append(units, base)
			}
		}
	}
	slices.Sort(units)
	units = slices.Compact(units)
	if i := slices.Index(units, pkg+".service"); i >= 0 {
		units = units[i : i+1]
	}
	switch len(units) {
	case 1:
		return fromUnit(host, units[0], o)
	case 0:
		if len(templates) > 0 {
			return nil, fmt.Errorf("%s has no unit of a service, and of its templates only instances run; name one, unit:%s", pkg, strings.ReplaceAll(strings.Join(templates, ", unit:"), "@.service", "@NAME"))
		}
		return nil, fmt.Errorf("%s has no unit of a service: name a command, command:'/usr/bin/PROGRAM …', or while it runs its process, pid:NUMBER", pkg)
	}
	return nil, fmt.Errorf("%s has several services; name one, unit:NAME: %s", pkg, strings.Join(units, ", "))
}

// fromCommand drafts a profile of a command as a unit's ExecStart would have it.
func fromCommand(host fs.FS, line string, o profile.Origin) (*profile.Draft, error) {
	words, err := unitfile.Words(line)
	if err != nil || len(words) == 0 {
		return nil, fmt.Errorf("command:%s is no command: %w", line, orEmpty(err))
	}
	base := path.Base(words[0])
	line = strings.ReplaceAll(strings.ReplaceAll(line, "%", "%%"), "$", "$$")
	unit := unitfile.New(base+".service", unitfile.Setting{Section: "Service", Name: "ExecStart", Value: line})
	return fromService(host, unit, known.Service{Ready: true}, o)
}

func orEmpty(err error) error {
	if err == nil {
		return fs.ErrInvalid
	}
	return err
}
