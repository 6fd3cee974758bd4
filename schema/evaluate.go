package schema

import (
	"bytes"
	"encoding/json"
	"path"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/build"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/inject/embed"
	cuejson "cuelang.org/go/encoding/json"
	cueyaml "cuelang.org/go/encoding/yaml"

	"github.com/sbx-dev/sbx/schema/diag"
)

// evaluator checks profiles one after the other. It is not safe for concurrent
// use.
type evaluator struct {
	schema cue.Value // the schema package, compiled on first use
}

// definition is a definition of the schema, such as #Profile.
func (e *evaluator) definition(name string) cue.Value {
	if !e.schema.Exists() {
		e.schema = compileSchema()
	}
	return e.schema.LookupPath(cue.MakePath(cue.Def(name)))
}

// evaluate makes a profile of a target.
func (c *Config) evaluate(e *evaluator, t target) result {
	ctx := cuecontext.New(cuecontext.WithInjection(embed.New()))
	inst, err := c.build(t)
	if err != nil {
		return result{list: diagnoseLoad(t, err)}
	}
	value := ctx.BuildInstance(inst)
	if t.walked && isLibrary(value) {
		return result{}
	}
	src := newSource(t.project, inst.Files)
	full := value.Unify(e.definition("#Profile"))
	if err := full.Validate(cue.Concrete(true), cue.Final()); err != nil {
		return result{list: diagnoseValue(t, src, err)}
	}
	p, err := decode(full)
	if err != nil {
		return result{list: diag.List{{Pos: src.Pos(""), Severity: diag.Error, Code: diag.Malformed, Message: err.Error()}}}
	}
	p.Source = src
	if list := check(p); list.Err() != nil {
		return result{list: list}
	}
	return result{profile: p}
}

// build reads a target's files; YAML and JSON become CUE with their positions.
func (c *Config) build(t target) (*build.Instance, error) {
	switch path.Ext(t.file) {
	case ".yaml", ".yml", ".json":
		return dataInstance(t)
	}
	return c.instance(t)
}

func dataInstance(t target) (*build.Instance, error) {
	data, err := t.project.session().read(t.file)
	if err != nil {
		return nil, loadError(t.project.pos(t.file), err)
	}
	f := &ast.File{Filename: t.file}
	if path.Ext(t.file) == ".json" {
		expr, err := cuejson.Extract(t.file, data)
		if err != nil {
			return nil, err
		}
		f.Decls = []ast.Decl{&ast.EmbedDecl{Expr: expr}}
	} else if f, err = cueyaml.Extract(t.file, data); err != nil {
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

// decode reads a complete value over the defaults.
func decode(v cue.Value) (*Profile, error) {
	data, err := v.MarshalJSON()
	if err != nil {
		return nil, err
	}
	p := defaults()
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(p); err != nil {
		return nil, err
	}
	p.fill()
	return p, nil
}
