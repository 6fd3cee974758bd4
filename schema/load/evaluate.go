package load

import (
	"errors"
	"path"
	"sync"

	"github.com/sbx-dev/sbx/schema"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/build"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/inject/embed"
	"cuelang.org/go/cue/token"
	cuejson "cuelang.org/go/encoding/json"

	"github.com/sbx-dev/sbx/schema/diag"
	"github.com/sbx-dev/sbx/schema/load/guard"
)

// evaluator checks profiles one after the other. It is not safe for concurrent
// use.
type evaluator struct {
	compiled cue.Value // the schema package, once it is needed
	plain    func() (cue.Value, error)
}

// newEvaluator begins to compile the schema, while the first profile is read.
func newEvaluator() *evaluator {
	e := &evaluator{plain: sync.OnceValues(compilePlain)}
	go e.plain()
	return e
}

// schema is the schema's package in a context of its own.
func (e *evaluator) schema() cue.Value {
	if !e.compiled.Exists() {
		e.compiled = compileSchema(schema.Files())
	}
	return e.compiled
}

// check is #Profile without its messages for people, which cost time: it says
// only whether a value conforms.
func (e *evaluator) check() (cue.Value, error) {
	v, err := e.plain()
	return v.LookupPath(cue.MakePath(cue.Def("#Profile"))), err
}

// profile is #Profile.
func (e *evaluator) profile() cue.Value {
	return e.schema().LookupPath(cue.MakePath(cue.Def("#Profile")))
}

// evaluate makes a profile of a target. The user's files are evaluated against
// the schema without its constraints, and what comes out of them, which is plain
// data, against the schema: that takes half the time of evaluating both at once,
// and a file that opens the schema's structs is held to them all the same.
func (c *Config) evaluate(e *evaluator, t target, rules *policy) result {
	t.seen = c.watch()
	ctx := cuecontext.New(cuecontext.WithInjection(embed.New()))
	inst, err := c.build(t, lenient)
	if err != nil {
		return result{list: diagnoseLoad(t, err)}
	}
	src := newSource(t.project, inst.Files)
	if list := guard.Weigh(inst, src); list != nil {
		return result{list: list}
	}
	value := ctx.BuildInstance(inst)
	if t.walked && isLibrary(value) {
		return result{}
	}
	data, err := e.conforming(value)
	switch {
	case err == nil || errors.Is(err, errManyParts):
	case !manyRules(value):
		data, err = c.strict(e, t)
	case hasChoices(guard.Files(inst)):
		data, err = c.strictButRules(e, t)
	}
	if err != nil {
		return result{list: c.diagnose(e, src, value, err)}
	}
	p, err := schema.Decode(data)
	if err != nil {
		return result{list: diag.List{{Pos: src.Pos(""), Severity: diag.Error, Code: diag.Malformed, Message: err.Error()}}}
	}
	p.Source = src
	if list := p.Check(); list.Err() != nil {
		return result{list: list}
	}
	if list := rules.check(p, src); list.Err() != nil {
		return result{list: list}
	}
	found := src.final(value)
	p.Source = found
	c.remember(t, data, found)
	return result{profile: p}
}

// conforming gives a value as JSON if that is a profile.
func (e *evaluator) conforming(v cue.Value) ([]byte, error) {
	if err := v.Validate(cue.Concrete(true), cue.Final()); err != nil {
		return nil, err
	}
	data, err := v.MarshalJSON()
	if err != nil {
		return nil, err
	}
	rest, err := withoutRules(data)
	if err != nil {
		return nil, err
	}
	expr, err := cuejson.Extract("profile", rest)
	if err != nil {
		return nil, err
	}
	if manyParts(expr) {
		return nil, errManyParts
	}
	def, err := e.check()
	if err != nil {
		return nil, err
	}
	full := cuecontext.New().BuildExpr(expr).Unify(def)
	return data, full.Validate(cue.Concrete(true), cue.Final())
}

// errManyParts keeps what no profile can be from CUE, which would check every
// part of it before it counts them.
var errManyParts = errors.New("too many entries")

// manyParts reports whether a list or struct has more parts than the schema
// allows anywhere.
func manyParts(expr ast.Expr) (many bool) {
	const most = 1024
	ast.Walk(expr, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.StructLit:
			many = many || len(n.Elts) > most
		case *ast.ListLit:
			many = many || len(n.Elts) > most
		}
		return !many
	}, nil)
	return many
}

// strict evaluates a target and the schema at once, for files in which the
// schema's constraints choose between values.
func (c *Config) strict(e *evaluator, t target) ([]byte, error) {
	inst, err := c.build(t, full)
	if err != nil {
		return nil, err
	}
	v := cuecontext.New(cuecontext.WithInjection(embed.New())).BuildInstance(inst).Unify(e.profile())
	if err := v.Validate(cue.Concrete(true), cue.Final()); err != nil {
		return nil, err
	}
	return v.MarshalJSON()
}

// strictButRules is strict for more rules than CUE can evaluate in the time that
// a profile has: the schema chooses nothing within rules, and holds them to their
// form once they are data.
func (c *Config) strictButRules(e *evaluator, t target) ([]byte, error) {
	inst, err := c.build(t, openRules)
	if err != nil {
		return nil, err
	}
	files, err := openRules()
	if err != nil {
		return nil, err
	}
	def := compileSchema(files).LookupPath(cue.MakePath(cue.Def("#Profile")))
	return e.conforming(cuecontext.New(cuecontext.WithInjection(embed.New())).BuildInstance(inst).Unify(def))
}

// hasChoices reports whether files hold a disjunction.
func hasChoices(files []*ast.File) (has bool) {
	for _, f := range files {
		ast.Walk(f, func(n ast.Node) bool {
			b, ok := n.(*ast.BinaryExpr)
			has = has || ok && b.Op == token.OR
			return !has
		}, nil)
	}
	return has
}

// build reads a target's files; YAML and JSON become CUE with their positions.
func (c *Config) build(t target, form schemaForm) (*build.Instance, error) {
	switch path.Ext(t.file) {
	case ".yaml", ".yml", ".json":
		return dataInstance(t)
	}
	return c.instance(t, form)
}

func dataInstance(t target) (*build.Instance, error) {
	data, err := t.session().read(t.file)
	if err != nil {
		return nil, loadError(t.project.pos(t.file), err)
	}
	f, err := parseData(t.project, t.file, data)
	if err != nil {
		return nil, err
	}
	inst := build.NewContext().NewInstance(t.dir, nil)
	if err := inst.AddSyntax(f); err != nil {
		return nil, err
	}
	return inst, nil
}

// isLibrary reports whether a package holds definitions only.
func isLibrary(v cue.Value) bool {
	fields, err := v.Fields(cue.Optional(true))
	return err == nil && !fields.Next()
}
