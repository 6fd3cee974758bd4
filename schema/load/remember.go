package load

import (
	"crypto/rand"
	"crypto/sha256"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/sbx-dev/sbx/internal/memo"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Memory keeps bytes under names of [memo.Key] between processes. What it gives was
// put there by a process of the same user, whole and for the same key, or is nil.
type Memory interface {
	Get(key string) []byte
	Put(key string, data []byte)
}

// maxSeen is the most paths of which it is noted what stood there.
const maxSeen = 4000

// seen is what the loading of a profile met on the disk: all that it depends on
// besides what memoryKey holds. Its methods may be called on nil.
type seen struct {
	mu     sync.Mutex
	spoilt bool              // it depends on something that cannot be noted
	facts  map[string]string // path → what stood there
}

func (s *seen) note(path, fact string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if before, ok := s.facts[path]; ok && before != fact || len(s.facts) >= maxSeen {
		s.spoilt = true // it changes while it is read
		return
	}
	s.facts[path] = fact
}

func (s *seen) spoil() {
	if s != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.spoilt = true
	}
}

func (s *seen) file(path string, data []byte) {
	if s != nil {
		s.note(path, fileFact(data))
	}
}

func (s *seen) folder(path string, entries []fs.DirEntry) {
	if s != nil {
		s.note(path, folderFact(entries))
	}
}

// fileFact is the fact of a path where a file is.
func fileFact(data []byte) string {
	sum := sha256.Sum256(data)
	return "file " + string(sum[:])
}

// folderFact is that of a folder.
func folderFact(entries []fs.DirEntry) string {
	sum := sha256.New()
	for _, e := range entries {
		_, _ = sum.Write([]byte(e.Name() + "\x00" + e.Type().String() + "\x00"))
	}
	return "folder " + string(sum.Sum(nil))
}

// nothing is the fact of a path where nothing is.
const nothing = "nothing"

// failed notes that nothing is there; any other failure may be another one next time.
func (s *seen) failed(path string, err error) {
	if !errors.Is(err, fs.ErrNotExist) {
		s.spoil()
		return
	}
	s.note(path, nothing)
}

// same says whether a project still has what was seen of it.
func (p *project) same(facts map[string][]byte) bool {
	for path, was := range facts {
		if is, err := p.fact(path); err != nil || is != string(was) {
			return false
		}
	}
	return true
}

// fact is what stands at a path of the disk now.
func (p *project) fact(name string) (string, error) {
	if hidden(name) {
		return nothing, nil
	}
	f, err := p.disk.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nothing, nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return "", err
	case info.IsDir():
		entries, err := p.list(name)
		return folderFact(entries), err
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%s is not a regular file", name)
	}
	data, err := readBounded(f, info)
	return fileFact(data), err
}

// kept is a profile as Memory has it.
type kept struct {
	Facts   map[string][]byte `json:"facts"`   // of seen
	Profile json.RawMessage   `json:"profile"` // as CUE gives it
	Places  []keptPlace       `json:"places"`
}

type keptPlace struct {
	Path string   `json:"path"`
	At   diag.Pos `json:"at"`
	Here bool     `json:"here,omitempty"` // in the project's folder, which the key names
}

// memory is where what is right is kept, if anywhere.
func (c *Config) memory() Memory {
	if c.Policy != "" {
		return nil
	}
	return c.Memory
}

// watch begins to note what a profile depends on, where there is somebody to keep it.
func (c *Config) watch() *seen {
	if c.memory() == nil {
		return nil
	}
	return &seen{facts: make(map[string]string)}
}

// remembered is the target's profile, if it was right when its files said the same; it
// is checked again but for what CUE checks. Else it is nil.
func (c *Config) remembered(t target) *schema.Profile {
	if c.memory() == nil {
		return nil
	}
	data := c.Memory.Get(c.memoryKey(t))
	var k kept
	if data == nil || json.Unmarshal(data, &k) != nil || !t.project.same(k.Facts) {
		return nil
	}
	p, err := schema.Decode(k.Profile)
	if err != nil {
		return nil
	}
	found := make(places, len(k.Places))
	for _, place := range k.Places {
		if place.Here {
			place.At.Dir = t.project.dir
		}
		found[place.Path] = place.At
	}
	p.Source = found
	if p.Check().Err() != nil {
		return nil
	}
	return p
}

// remember keeps a profile that is right, with all that it depends on.
func (c *Config) remember(t target, profile []byte, found places) {
	if t.seen == nil || t.seen.spoilt {
		return
	}
	k := kept{Facts: make(map[string][]byte), Profile: profile}
	for path, fact := range t.seen.facts {
		k.Facts[path] = []byte(fact)
	}
	for _, path := range slices.Sorted(maps.Keys(found)) {
		at := found[path]
		if at.Dir != "" && at.Dir != t.project.dir {
			return
		}
		k.Places = append(k.Places, keptPlace{path, at, at.Dir != ""})
	}
	if data, err := json.Marshal(k); err == nil {
		c.Memory.Put(c.memoryKey(t), data)
	}
}

// rememberedFrame is the frame in a project with that module file, if it was worked out
// before: CUE takes longer to read such a file than sbx to look a profile up.
func rememberedFrame(m Memory, module []byte) (*frame, error) {
	if m == nil {
		return newFrame(module)
	}
	key := memo.Key("module", program(), strconv.FormatBool(module != nil), string(module))
	var known frame
	if data := m.Get(key); data != nil && json.Unmarshal(data, &known) == nil && known.SchemaDir != "" && known.Files != nil {
		return &known, nil
	}
	f, err := newFrame(module)
	if err != nil {
		return nil, err
	}
	if data, err := json.Marshal(f); err == nil {
		m.Put(key, data)
	}
	return f, nil
}

// memoryKey names all that a profile depends on but what is seen of the project: this
// very program, its schema with it, what CUE reads from the environment, the module,
// and what is asked for.
func (c *Config) memoryKey(t target) string {
	parts := []string{
		"profile", program(), os.Getenv("CUE_EXPERIMENT"), os.Getenv("CUE_DEBUG"),
		t.project.dir, t.project.without, t.project.mark, t.dir, t.pkg, t.file, string(t.stdin),
		t.project.schemaDir, string(t.project.overlay[moduleName]), string(t.project.overlay["cue.mod/local-module.cue"]),
		strconv.FormatBool(c.Tests), strconv.FormatBool(t.walked), strconv.FormatBool(c.FS != nil),
	}
	return memo.Key(append(parts, c.Tags...)...)
}

// program is the digest that Go's linker gives to this program's content.
var program = sync.OnceValue(func() string { return programIn("/proc/self/exe") })

// programIn is that of the program in a file. Where it has none, each process has one of
// its own, which no later one has again, as it may have the process's id.
func programIn(file string) string {
	if self, err := elf.Open(file); err == nil {
		defer self.Close()
		if note := self.Section(".note.go.buildid"); note != nil {
			if data, err := note.Data(); err == nil && strings.Contains(string(data), "/") {
				return string(data)
			}
		}
	}
	return "process " + rand.Text()
}
