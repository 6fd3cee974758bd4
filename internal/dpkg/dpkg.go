// Package dpkg reads what dpkg knows of the packages that are installed: their files,
// their configuration, what they depend on.
package dpkg

import (
	"bufio"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

const (
	statusFile = "var/lib/dpkg/status"
	infoFolder = "var/lib/dpkg/info"

	// maxLine is the longest line of the database that is read, in bytes.
	maxLine = 1 << 20
)

// Package is an installed package.
type Package struct {
	Name      string
	Version   string
	Source    string            // the source package that it is built from
	Depends   [][]string        // names, each with the alternatives to it
	Conffiles map[string]string // the MD5 of each as it was installed, by its absolute path
	arch      string
}

// Database is the packages of a host.
type Database struct {
	host     fs.FS
	packages map[string]*Package
}

// Open reads the database of a host. Where the host has none, the error is
// [fs.ErrNotExist].
func Open(host fs.FS) (*Database, error) {
	f, err := host.Open(statusFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	db := &Database{host: host, packages: map[string]*Package{}}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxLine)
	p, installed := &Package{}, false
	end := func() {
		if p.Name != "" && installed && db.packages[p.Name] == nil {
			if p.Source == "" {
				p.Source = p.Name
			}
			db.packages[p.Name] = p
		}
		p, installed = &Package{}, false
	}
	field := ""
	for lines.Scan() {
		line := lines.Text()
		if strings.TrimSpace(line) == "" {
			end()
			continue
		}
		if line[0] == ' ' || line[0] == '\t' {
			if field == "Conffiles" {
				p.addConffile(line)
			}
			continue
		}
		var value string
		field, value, _ = strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		if field == "Status" {
			installed = strings.HasSuffix(value, " installed")
		}
		p.set(field, value)
	}
	end()
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("/%s: %w", statusFile, err)
	}
	return db, nil
}

func (p *Package) set(field, value string) {
	switch field {
	case "Package":
		p.Name = value
	case "Version":
		p.Version = value
	case "Architecture":
		p.arch = value
	case "Source":
		p.Source, _, _ = strings.Cut(value, " ")
	case "Depends", "Pre-Depends":
		p.Depends = append(p.Depends, dependencies(value)...)
	}
}

// addConffile takes up " /etc/file digest", with "obsolete" or "remove-on-upgrade"
// behind it where the package no longer has it.
func (p *Package) addConffile(line string) {
	words := strings.Fields(line)
	if len(words) == 2 && strings.HasPrefix(words[0], "/") {
		if p.Conffiles == nil {
			p.Conffiles = map[string]string{}
		}
		p.Conffiles[words[0]] = words[1]
	}
}

// dependencies reads "a (>= 1), b | c:any".
func dependencies(text string) (all [][]string) {
	for one := range strings.SplitSeq(text, ",") {
		var names []string
		for alternative := range strings.SplitSeq(one, "|") {
			words := strings.Fields(alternative)
			if len(words) > 0 {
				name, _, _ := strings.Cut(words[0], ":")
				names = append(names, name)
			}
		}
		if len(names) > 0 {
			all = append(all, names)
		}
	}
	return all
}

// Package gives an installed package, or nil.
func (db *Database) Package(name string) *Package { return db.packages[name] }

// Siblings are the installed packages that a package depends on and that are built
// from the same source, itself first, then by name.
func (db *Database) Siblings(name string) []*Package {
	first := db.packages[name]
	if first == nil {
		return nil
	}
	all := []*Package{first}
	for i := 0; i < len(all); i++ {
		for _, names := range all[i].Depends {
			for _, n := range names {
				p := db.packages[n]
				if p != nil && p.Source == first.Source && !slices.Contains(all, p) {
					all = append(all, p)
				}
			}
		}
	}
	slices.SortFunc(all[1:], func(a, b *Package) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Files are the absolute paths of the files and folders of a package, sorted.
func (db *Database) Files(p *Package) ([]string, error) {
	for _, name := range []string{p.Name, p.Name + ":" + p.arch} {
		if lines, err := db.list(name + ".list"); err == nil {
			slices.Sort(lines)
			return lines, nil
		}
	}
	return nil, fmt.Errorf("dpkg has no list of the files of %s", p.Name)
}

func (db *Database) list(name string) (lines []string, err error) {
	f, err := db.host.Open(path.Join(infoFolder, name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	scanner := bufio.NewScanner(f)
	scanner.Buffer(nil, maxLine)
	for scanner.Scan() {
		if line := scanner.Text(); strings.HasPrefix(line, "/") && line != "/." {
			lines = append(lines, line)
		}
	}
	return lines, scanner.Err()
}

// Owner gives the packages whose list names an absolute path, by name. On a host
// whose /bin, /sbin and /lib are links into /usr, a file stands in a list under
// either name.
func (db *Database) Owner(file string) (owners []*Package, err error) {
	names := map[string]bool{file: true}
	if inUsr, ok := strings.CutPrefix(file, "/usr/"); ok {
		names["/"+inUsr] = true
	} else {
		names["/usr"+file] = true
	}
	for _, p := range db.packages {
		files, err := db.Files(p)
		if err != nil {
			continue // metapackages of other tools may have none
		}
		if slices.ContainsFunc(files, func(f string) bool { return names[f] }) {
			owners = append(owners, p)
		}
	}
	slices.SortFunc(owners, func(a, b *Package) int { return strings.Compare(a.Name, b.Name) })
	return owners, nil
}
