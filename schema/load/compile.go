package load

import (
	"embed"

	"github.com/sbx-dev/sbx/schema"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/ast/astutil"
	"cuelang.org/go/cue/build"
	"cuelang.org/go/cue/cuecontext"
	cueload "cuelang.org/go/cue/load"
	"cuelang.org/go/cue/parser"
	"cuelang.org/go/cue/token"
	"cuelang.org/go/mod/modfile"
)

// compileSchema builds the schema's package of its files in a context of its own.
func compileSchema(files map[string][]byte) cue.Value {
	v := cuecontext.New().BuildInstance(schemaProject(files).schemaInstance())
	if err := v.Err(); err != nil {
		panic(err) // the schema is part of the program
	}
	return v
}

// compilePlain builds the schema's package without its messages for people.
func compilePlain() (cue.Value, error) {
	inst := build.NewContext().NewInstance("schema", nil)
	for name, data := range schema.Files() {
		f, err := parser.ParseFile(name, data)
		if err != nil {
			return cue.Value{}, err
		}
		if err := inst.AddSyntax(withoutMessages(f)); err != nil {
			return cue.Value{}, err
		}
	}
	v := cuecontext.New().BuildInstance(inst)
	return v, v.Err()
}

// withoutMessages takes the `| error(…)` out of a file of the schema.
func withoutMessages(f *ast.File) *ast.File {
	return astutil.Apply(f, nil, func(c astutil.Cursor) bool {
		if b, ok := c.Node().(*ast.BinaryExpr); ok && b.Op == token.OR && isCallOf(b.Y, "error") {
			c.Replace(b.X)
		}
		return true
	}).(*ast.File)
}

func isCallOf(e ast.Expr, name string) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	id, ok := call.Fun.(*ast.Ident)
	return ok && id.Name == name
}

// schemaProject is a project of nothing but the schema's files.
func schemaProject(files map[string][]byte) *project {
	p := &project{disk: embed.FS{}, schemaDir: "schema"}
	p.overlay = map[string][]byte{
		"cue.mod/module.cue": moduleFile(&modfile.File{Module: schema.ModulePath + "@v0", Language: &modfile.Language{Version: language}}),
	}
	for name, data := range files {
		p.overlay["schema/"+name] = data
	}
	return p
}

// schemaInstance loads the schema's package.
func (p *project) schemaInstance() *build.Instance {
	return cueload.Instances([]string{"./schema"}, &cueload.Config{
		FS: p.session(), Dir: "/", ModuleRoot: "/", Registry: offline{}, Env: []string{}, FromFSPath: p.display,
	})[0]
}
