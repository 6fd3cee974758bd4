// Package known is the table of what is known of services and stands in none of their
// units: services.cue, and what the people of a host add to it.
package known

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"
	cueerrors "cuelang.org/go/cue/errors"

	"github.com/sbx-dev/sbx/internal/draft/hostfile"
)

//go:embed services.cue
var builtin embed.FS

// ownTables is where the people of a host add to what is known of services.
const ownTables = "etc/sbx/services"

// maxTable is how long one of their files may be, in bytes.
const maxTable = 256 << 10

// Service is what is known of one and stands in no unit; services.cue says what each
// field means.
type Service struct {
	Argv         []string          `json:"argv"`
	Arguments    []string          `json:"arguments"`
	User         string            `json:"user"`
	Env          map[string]string `json:"env"`
	Owned        []string          `json:"owned"`
	Expose       []Reasoned        `json:"expose"`
	Scratch      []Reasoned        `json:"scratch"`
	Files        []Inline          `json:"files"`
	Assumes      []string          `json:"assumes"`
	Data         []Reasoned        `json:"data"`
	Closed       []string          `json:"closed"`
	Listens      []Listens         `json:"listens"`
	Own          string            `json:"own"`
	Out          []Outgoing        `json:"out"`
	Capabilities []Reasoned        `json:"capabilities"`
	Syscalls     []string          `json:"syscalls"`
	Signal       string            `json:"signal"`
	Reload       string            `json:"reload"`
	Steps        *bool             `json:"steps"`
	Ready        bool              `json:"ready"`
	Memory       string            `json:"memory"`
	Why          string            `json:"why"`
	StandsFor    string            `json:"standsFor"`
	Instances    string            `json:"instances"`
	Edit         []string          `json:"edit"`
}

// Reasoned is a path or capability, and what it is for.
type Reasoned struct {
	Name  string `json:"name"`
	Why   string `json:"why"`
	Owner string `json:"owner"` // of a folder in memory
}

// Inline is a file that the profile holds.
type Inline struct {
	Name    string `json:"name"`
	Content string `json:"content"`
	Why     string `json:"why"`
}

// Listens is a port that a service listens on.
type Listens struct {
	TCP  int    `json:"tcp"`
	UDP  int    `json:"udp"`
	File string `json:"file"` // a file or glob that may say another
	Find string `json:"find"` // the expression that finds it there
	Why  string `json:"why"`

	Local bool `json:"-"` // it listens for this host's processes alone; of what runs
}

// Outgoing is what a service sends to others by itself.
type Outgoing struct {
	TCP []int  `json:"tcp"`
	UDP []int  `json:"udp"`
	Why string `json:"why"`
}

// Table is what is known of services beyond their units.
type Table struct {
	ctx     *cue.Context
	sources []cue.Value // those of the host first
}

// Open reads what sbx knows, and what a host's people have added to it in
// /etc/sbx/services.
func Open(host fs.FS) (*Table, error) {
	data, err := builtin.ReadFile("services.cue")
	if err != nil {
		return nil, err
	}
	t := &Table{ctx: cuecontext.New()}
	own := t.ctx.CompileBytes(data, cue.Filename("services.cue"))
	if err := own.Validate(); err != nil {
		return nil, err
	}
	names, err := fs.Glob(host, path.Join(ownTables, "*.cue"))
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		v, err := t.read(host, name, own)
		if err != nil {
			return nil, err
		}
		t.sources = append(t.sources, v)
	}
	t.sources = append(t.sources, own)
	return t, nil
}

// read compiles a file of the host's, in which #Service is the built-in one.
func (t *Table) read(host fs.FS, name string, own cue.Value) (cue.Value, error) {
	data, err := hostfile.Read(host, name, maxTable)
	if err != nil {
		return cue.Value{}, err
	}
	v := t.ctx.CompileBytes(data, cue.Filename("/"+name), cue.Scope(own))
	services := v.LookupPath(cue.ParsePath("services"))
	if v.Err() == nil && !services.Exists() {
		return v, fmt.Errorf("/%s: it has no field services", name)
	}
	shape := own.LookupPath(cue.ParsePath("#Services"))
	if err := services.Unify(shape).Err(); err != nil {
		return v, fmt.Errorf("/%s: %s", name, strings.TrimSpace(cueerrors.Details(err, nil)))
	}
	return v, nil
}

// Find gives what is known of a unit: by its name, or for an instance by that of its
// template.
func (t *Table) Find(unit, instance string) (Service, error) {
	base := strings.TrimSuffix(unit, ".service")
	if instance != "" {
		base = strings.TrimSuffix(base, instance)
	}
	for _, source := range t.sources {
		v := source
		if instance != "" {
			v = v.FillPath(cue.ParsePath("instance"), instance)
		}
		entry := v.LookupPath(cue.MakePath(cue.Str("services"), cue.Str(base)))
		if !entry.Exists() {
			continue
		}
		var k Service
		if err := entry.Decode(&k); err != nil {
			return Service{}, fmt.Errorf("the table of services, %q: %w", base, err)
		}
		return k, k.check()
	}
	return Service{}, nil
}

func (k Service) check() error {
	for _, l := range k.Listens {
		if _, err := regexp.Compile(l.Find); err != nil {
			return fmt.Errorf("the table of services: find: %w", err)
		}
	}
	return nil
}
