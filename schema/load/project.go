package load

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/load/guard"

	"cuelang.org/go/mod/modfile"
	"golang.org/x/mod/semver"
)

// Bounds of what is read for one profile; CUE sees nothing larger.
const (
	maxFile  = 1 << 20
	maxFiles = 1000
	maxNames = 100_000 // in a folder
	maxTotal = 8 << 20
)

// project is the folder tree that profiles are read from: that of the nearest
// cue.mod, else the profile's own folder. Nothing outside of it can be read, by
// no import, @embed or symbolic link.
type project struct {
	dir     string // absolute; "" where the tree is not on a disk
	disk    fs.FS
	overlay map[string][]byte // files that stand over those on the disk

	without   string   // a file that is not to be seen
	listed    sync.Map // folders whose names were read, as every profile below reads them
	mark      string   // begins the file names of positions
	schemaDir string   // where the schema's files stand in the tree
}

// findRoot is the nearest folder at or above dir that holds cue.mod, or dir.
func findRoot(dir string) string {
	for d := dir; ; d = filepath.Dir(d) {
		if info, err := os.Stat(filepath.Join(d, "cue.mod", "module.cue")); err == nil && info.Mode().IsRegular() {
			return d
		}
		if d == filepath.Dir(d) {
			return dir
		}
	}
}

// openProject reads the project whose root is dir. The Memory may be nil.
func openProject(dir string, m Memory) (*project, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	p := &project{dir: dir, disk: disk{root}}
	return p, p.addSchema(m)
}

// disk is the tree of a folder, as os.Root.FS gives it, but that it waits for no FIFO.
type disk struct{ root *os.Root }

func (d disk) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) { // for one, it is not UTF-8
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	f, err := d.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (d disk) Stat(name string) (fs.FileInfo, error)      { return fs.Stat(d.root.FS(), name) }
func (d disk) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(d.root.FS(), name) }

// builtinDir is where the schema stands in every tree.
const builtinDir = "cue.mod/sbx"

// language is the version of CUE that this package is written for, and the least
// that allows a module to be replaced by a folder.
const language = "v0.17.0"

// frame is the modules around the schema in a project's tree. It depends on what the
// project's own module file says, and on nothing else.
type frame struct {
	SchemaDir string            `json:"schemaDir"` // where the schema's files stand
	Files     map[string][]byte `json:"files"`     // the modules' own, by their paths
}

// addSchema puts this binary's schema where the project's imports look for it,
// in place of any copy that the project holds.
func (p *project) addSchema(m Memory) error {
	module, err := p.session().read(moduleName)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	around, err := rememberedFrame(m, module)
	if err != nil {
		return err
	}
	p.schemaDir, p.overlay = around.SchemaDir, around.Files
	for name, data := range schema.Files() {
		p.overlay[path.Join(p.schemaDir, name)] = data
	}
	return nil
}

// moduleName is a project's module file.
const moduleName = "cue.mod/module.cue"

// newFrame is the frame in a project with that module file, or with none.
func newFrame(module []byte) (*frame, error) {
	m := &modfile.File{Module: "profiles.invalid@v0", Language: &modfile.Language{Version: language}}
	if module != nil {
		own, err := modfile.ParseNonStrict(module, moduleName)
		if err != nil {
			return nil, err
		}
		m.Module = own.QualifiedModule()
		if own.Language != nil && semver.Compare(own.Language.Version, language) > 0 {
			m.Language = own.Language
		}
	}
	f := &frame{Files: map[string][]byte{moduleName: moduleFile(m)}}
	if m.ModuleRootPath() == schema.ModulePath {
		f.SchemaDir = "schema"
	} else {
		f.SchemaDir = builtinDir + "/schema"
		f.Files[builtinDir+"/cue.mod/module.cue"] = moduleFile(&modfile.File{Module: schema.ModulePath + "@v0", Language: m.Language})
		f.Files["cue.mod/local-module.cue"] = []byte(`deps: "` + schema.ModulePath + `@v0": {v: "v0.0.1", replaceWith: "./` + builtinDir + "\"}\n")
	}
	return f, nil
}

func moduleFile(m *modfile.File) []byte {
	data, err := modfile.Format(m)
	if err != nil {
		panic(err) // its parts were parsed or are constant
	}
	return data
}

// session is a view of the project for the loading of one profile; it bounds
// what is read.
func (p *project) session() *session { return &session{project: p, left: maxTotal} }

// session implements fs.FS over a project.
type session struct {
	*project
	files, left int
	stdin       []byte
	schema      map[string][]byte // the schema's files, in place of the full ones
	seen        *seen
}

// Open implements fs.FS.
func (s *session) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	if data, ok := s.overlaid(name); ok {
		return &memFile{Reader: bytes.NewReader(data), info: memInfo{path.Base(name), int64(len(data)), false}}, nil
	}
	if hidden(name) {
		s.seen.failed(name, fs.ErrNotExist)
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	if s.overlaidDir(name) {
		entries, err := s.ReadDir(name)
		return &memDir{memInfo{path.Base(name), 0, true}, entries}, err
	}
	info, err := fs.Stat(s.disk, name)
	if err != nil {
		s.seen.failed(name, err)
		return nil, err
	}
	if info.IsDir() {
		if s.seen != nil {
			_, _ = s.list(name) // which may be read from the folder itself
		}
		return s.disk.Open(name)
	}
	data, err := s.readFile(name, info)
	if err != nil {
		s.seen.spoil()
		return nil, err
	}
	s.seen.file(name, data)
	return &memFile{Reader: bytes.NewReader(data), info: memInfo{path.Base(name), int64(len(data)), false}}, nil
}

// readFile reads a whole file of the disk within the session's bounds.
func (s *session) readFile(name string, info fs.FileInfo) ([]byte, error) {
	if err := s.charge(name, info); err != nil {
		return nil, err
	}
	f, err := s.disk.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := readBounded(f, info)
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("%s is %w: a file of a profile may have %d bytes", name, guard.ErrTooLarge, maxFile)
	}
	if err == nil {
		err = guard.Text(name, data)
	}
	return data, err
}

// readBounded reads a file to its end, or a byte more than a file of a profile may have.
func readBounded(f io.Reader, info fs.FileInfo) ([]byte, error) {
	var all bytes.Buffer
	all.Grow(int(min(info.Size(), maxFile)) + bytes.MinRead) // so that it need not grow
	_, err := all.ReadFrom(io.LimitReader(f, maxFile+1))
	return all.Bytes(), err
}

// hidden reports whether a path is one of the folders of a module in which plain
// CUE looks for packages of others. They may hold a copy of the schema, for
// `cue vet` and editors; this binary's own is meant to be used.
func hidden(name string) bool {
	return name == "cue.mod/pkg" || strings.HasPrefix(name, "cue.mod/pkg/")
}

// charge takes a file that is about to be read out of the session's bounds.
func (s *session) charge(name string, info fs.FileInfo) error {
	s.files++
	s.left -= int(min(info.Size(), maxTotal+1))
	switch {
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file", name)
	case info.Size() > maxFile:
		return fmt.Errorf("%s is %w: it has %d bytes, and a file of a profile may have %d", name, guard.ErrTooLarge, info.Size(), maxFile)
	case s.left < 0 || s.files > maxFiles:
		return fmt.Errorf("the profile is %w: it reads more than %d files or %d bytes", guard.ErrTooLarge, maxFiles, maxTotal)
	}
	return nil
}

func (s *session) overlaid(name string) ([]byte, bool) {
	if name == stdinFile && s.stdin != nil {
		return s.stdin, true
	}
	if s.schema != nil && path.Dir(name) == s.schemaDir {
		data, ok := s.schema[path.Base(name)]
		return data, ok
	}
	data, ok := s.overlay[name]
	return data, ok
}

// overlaidDir reports whether a file of the overlay stands below name.
func (s *session) overlaidDir(name string) bool {
	for f := range s.overlay {
		if name == "." || strings.HasPrefix(f, name+"/") {
			return true
		}
	}
	return false
}

// ReadDir implements fs.ReadDirFS. The schema's folder holds the schema alone.
func (s *session) ReadDir(name string) ([]fs.DirEntry, error) {
	var entries []fs.DirEntry
	if name != s.schemaDir {
		var err error
		entries, err = s.list(name)
		if err != nil && (!errors.Is(err, fs.ErrNotExist) || !s.overlaidDir(name)) {
			return nil, err
		}
	}
	if len(entries) > maxNames {
		return nil, fmt.Errorf("folder %s is %w: it has %d entries, and a folder of profiles may have %d", name, guard.ErrTooLarge, len(entries), maxNames)
	}
	return append(entries, s.overlayEntries(name, entries)...), nil
}

// list reads the names of a folder of the disk.
func (s *session) list(name string) ([]fs.DirEntry, error) {
	entries, err := s.project.list(name)
	if err != nil {
		s.seen.failed(name, err)
		return nil, err
	}
	s.seen.folder(name, entries)
	return entries, nil
}

// list reads the names of a folder of the disk, once.
func (p *project) list(name string) ([]fs.DirEntry, error) {
	if known, ok := p.listed.Load(name); ok {
		return known.([]fs.DirEntry), nil
	}
	entries, err := fs.ReadDir(p.disk, name)
	if err != nil {
		return nil, err
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool {
		at := path.Join(name, e.Name())
		return hidden(at) || at == p.without
	})
	entries = slices.Clip(entries)
	p.listed.Store(name, entries)
	return entries, nil
}

// overlayEntries is what the overlay adds to a folder that has those entries.
func (s *session) overlayEntries(name string, have []fs.DirEntry) (added []fs.DirEntry) {
	seen := make(map[string]bool)
	for _, e := range have {
		seen[e.Name()] = true
	}
	for f, data := range s.overlay {
		rest, ok := strings.CutPrefix(f, name+"/")
		if name == "." {
			rest, ok = f, true
		}
		if !ok {
			continue
		}
		base, _, deeper := strings.Cut(rest, "/")
		if !seen[base] {
			seen[base] = true
			added = append(added, fs.FileInfoToDirEntry(memInfo{base, int64(len(data)), deeper}))
		}
	}
	return added
}

// read is a whole file of the project.
func (s *session) read(name string) ([]byte, error) {
	f, err := s.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFile+1))
}
