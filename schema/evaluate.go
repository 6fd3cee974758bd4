package schema

import (
	"bytes"
	"encoding/json"
	"path"
	"strings"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/build"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/inject/embed"

	"github.com/sbx-dev/sbx/schema/diag"
)

// evaluator checks profiles one after the other. It is not safe for concurrent
// use.
type evaluator struct {
	compiled cue.Value // the schema package, once it is needed
}

// schema is the schema's package in a context of its own.
func (e *evaluator) schema() cue.Value {
	if !e.compiled.Exists() {
		e.compiled = compileSchema()
	}
	return e.compiled
}

// evaluate makes a profile of a target.
func (c *Config) evaluate(e *evaluator, t target, rules *policy) result {
	ctx := cuecontext.New(cuecontext.WithInjection(embed.New()))
	inst, err := c.build(t, false)
	if err != nil {
		return result{list: diagnoseLoad(t, err)}
	}
	value := ctx.BuildInstance(inst)
	if t.walked && isLibrary(value) {
		return result{}
	}
	src := newSource(t.project, inst.Files)
	full := value.Unify(e.profile(ctx, inst))
	if err := full.Validate(cue.Concrete(true), cue.Final()); err != nil {
		return result{list: c.diagnose(e, t, src, err)}
	}
	data, err := full.MarshalJSON()
	if err != nil {
		return result{list: c.diagnose(e, t, src, err)}
	}
	p, err := decode(data)
	if err != nil {
		return result{list: diag.List{{Pos: src.Pos(""), Severity: diag.Error, Code: diag.Malformed, Message: err.Error()}}}
	}
	p.Source = src
	if list := check(p); list.Err() != nil {
		return result{list: list}
	}
	if list := rules.check(p, src); list.Err() != nil {
		return result{list: list}
	}
	src.addEvaluated(full, "")
	return result{profile: p}
}

// profile is #Profile: that of the schema which the instance imports already,
// else that of the evaluator's own.
func (e *evaluator) profile(ctx *cue.Context, inst *build.Instance) cue.Value {
	var schema cue.Value
	if imp := importedSchema(inst, 0); imp != nil {
		schema = ctx.BuildInstance(imp)
	} else {
		schema = e.schema()
	}
	return schema.LookupPath(cue.MakePath(cue.Def("#Profile")))
}

// importedSchema finds the schema's package among what an instance imports.
func importedSchema(inst *build.Instance, depth int) *build.Instance {
	for _, imp := range inst.Imports {
		path, _, _ := strings.Cut(imp.ImportPath, "@")
		if path == ImportPath || strings.TrimSuffix(imp.ImportPath, ":schema") == ImportPath {
			return imp
		}
		if depth < 4 {
			if found := importedSchema(imp, depth+1); found != nil {
				return found
			}
		}
	}
	return nil
}

// build reads a target's files; YAML and JSON become CUE with their positions.
func (c *Config) build(t target, lenient bool) (*build.Instance, error) {
	switch path.Ext(t.file) {
	case ".yaml", ".yml", ".json":
		return dataInstance(t)
	}
	return c.instance(t, lenient)
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

// decode reads a complete profile over the defaults.
func decode(data []byte) (*Profile, error) {
	p := defaults()
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(p); err != nil {
		return nil, err
	}
	p.fill()
	return p, nil
}
