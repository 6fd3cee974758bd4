// Package load reads profiles out of CUE, JSON and YAML: it finds them in their
// project, evaluates them with bounds, holds them against the schema and a
// policy, and writes them again.
//
// [Config.Load] never reaches a network, never reads outside of the folder that
// holds the project, and answers every mistake in a profile with diagnostics
// ([diag.List]).
package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/sbx-dev/sbx/schema"

	"cuelang.org/go/cue/build"
	cueload "cuelang.org/go/cue/load"
	"cuelang.org/go/mod/modconfig"
	"cuelang.org/go/mod/modfile"
	"cuelang.org/go/mod/module"

	"github.com/sbx-dev/sbx/schema/diag"
	"github.com/sbx-dev/sbx/schema/load/explain"
	"github.com/sbx-dev/sbx/schema/load/guard"
)

// Config says how profiles are found and read. The zero Config reads from the
// current folder.
type Config struct {
	Dir   string    // where relative arguments start; "" is the current folder
	FS    fs.FS     // where arguments are found, in place of the disk
	Tags  []string  // "key=value", or the short form of an @tag
	Stdin io.Reader // what the argument "-" means
	Tests bool      // read the files of a package that end in _test.cue, too

	// Without names a file of the disk that is read as if it were not there: an
	// older version of a profile beside the newer one, for instance.
	Without string

	// Policy is a folder of rules: CUE packages that every complete profile,
	// defaults and all, must unify with. "" is none.
	Policy string

	// Memory keeps profiles that were right for the next time that the same files say
	// the same; nil is none. Nothing is kept under a policy.
	Memory Memory
}

// Load reads the profiles that args name: files (.cue, .yaml, .json), folders,
// folders and all below them ("DIR/..."), or "-". A file's whole package is
// read, with the files of the same package in the folders above it.
//
// Profiles come in the order of args, and of paths within one. Where any of them
// is wrong, the error is a [diag.List] of all that is wrong in all of them, and
// the profiles are those that are right.
func (c *Config) Load(args ...string) ([]*schema.Profile, error) {
	targets, err := c.targets(args)
	if err != nil {
		return nil, asList(err)
	}
	rules, err := c.openPolicy()
	if err != nil {
		return nil, asList(err)
	}
	targets = slices.DeleteFunc(targets, func(t target) bool { return t.walked && rules.holds(t) })
	results := make([]result, len(targets))
	c.evaluateAll(targets, results, rules)
	return collect(results)
}

// result is what became of one target; neither is set for a package that holds
// no profile.
type result struct {
	profile *schema.Profile
	list    diag.List
}

// usual bounds what each profile may take.
var usual = guard.Usual(func() { _, _ = compilePlain() })

// evaluateAll spreads the targets over the processors. Every worker has a CUE
// context of its own for the schema.
func (c *Config) evaluateAll(targets []target, results []result, rules *policy) {
	next := make(chan int)
	var abandoned atomic.Bool
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(targets)) {
		workers.Go(func() {
			e := sync.OnceValue(newEvaluator)
			for i := range next {
				if abandoned.Load() {
					continue
				}
				if p := c.remembered(targets[i]); p != nil {
					results[i].profile = p
					continue
				}
				r, refused, stopped := guard.Evaluate(usual, targets[i].pos(), func() result { return c.evaluate(e(), targets[i], rules) })
				if refused != nil {
					r = result{list: refused}
				}
				results[i] = r
				if stopped {
					abandoned.Store(true)
				}
			}
		})
	}
	for i := range targets {
		next <- i
	}
	close(next)
	workers.Wait()
}

func collect(results []result) (profiles []*schema.Profile, err error) {
	var list diag.List
	for _, r := range results {
		list = append(list, r.list...)
		if r.profile != nil {
			profiles = append(profiles, r.profile)
		}
	}
	return profiles, list.Sorted().Err()
}

// instance loads a target's files into syntax trees.
func (c *Config) instance(t target, form schemaForm) (*build.Instance, error) {
	s := t.session()
	var err error
	if s.schema, err = form(); err != nil {
		return nil, err
	}
	cfg := &cueload.Config{
		FS:         s,
		Dir:        "/" + t.dir,
		ModuleRoot: "/",
		Tags:       c.Tags,
		Tests:      c.Tests,
		Registry:   offline{},
		Env:        []string{},
		FromFSPath: t.project.display,
	}
	arg := "./" + t.file
	if t.dir != "." {
		arg = "/" + t.file
	}
	if t.pkg != "" {
		arg, cfg.Package = ".", t.pkg
	}
	inst := cueload.Instances([]string{arg}, cfg)[0]
	if inst.Err != nil {
		return inst, inst.Err
	}
	if inst.Root == "" {
		inst.Root = "." // the project's root, which @embed insists on
	}
	return inst, nil
}

// display is how positions name a file of the project.
func (p *project) display(name string) string {
	name = strings.TrimPrefix(name, "/")
	if _, ok := p.overlay[name]; ok {
		return explain.Builtin + name
	}
	if name == stdinFile {
		return "<stdin>"
	}
	return p.mark + name
}

// offline is the registry of modules: it has none.
type offline struct{}

var _ modconfig.Registry = offline{}

func (offline) ModFile(_ context.Context, m module.Version) (*modfile.File, error) {
	return nil, errOffline(m)
}

func (offline) Fetch(_ context.Context, m module.Version) (module.SourceLoc, error) {
	return module.SourceLoc{}, errOffline(m)
}

func (offline) ModuleVersions(context.Context, string) ([]string, error) { return nil, nil }

func errOffline(m module.Version) error {
	return fmt.Errorf("module %v: sbx loads nothing from a network; put the package into the project", m)
}

// readAllBounded is all of r, which may be as long as a file of a profile.
func readAllBounded(r io.Reader) ([]byte, error) {
	if r == nil {
		return nil, errors.New("there is no standard input")
	}
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("standard input is %w: a profile may have %d bytes", guard.ErrTooLarge, maxFile)
	}
	return data, err
}

// asList turns an error of loading into diagnostics.
func asList(err error) diag.List {
	if list, ok := diag.From(err); ok {
		return list
	}
	return diag.List{{Severity: diag.Error, Code: diag.Unreadable, Message: err.Error()}}
}
