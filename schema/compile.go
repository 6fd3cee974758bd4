package schema

import (
	"embed"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/build"
	"cuelang.org/go/cue/cuecontext"
	"cuelang.org/go/cue/load"
	"cuelang.org/go/mod/modfile"
)

// compileSchema builds the schema's package in a context of its own.
func compileSchema() cue.Value {
	v := cuecontext.New().BuildInstance(schemaProject().schemaInstance())
	if err := v.Err(); err != nil {
		panic(err) // the schema is part of the program
	}
	return v
}

// schemaProject is a project of nothing but the schema.
func schemaProject() *project {
	p := &project{disk: embed.FS{}, schemaDir: "schema"}
	p.overlay = map[string][]byte{
		"cue.mod/module.cue": moduleFile(&modfile.File{Module: modulePath + "@v0", Language: &modfile.Language{Version: language}}),
	}
	for name, data := range Files() {
		p.overlay["schema/"+name] = data
	}
	return p
}

// schemaInstance loads the schema's package.
func (p *project) schemaInstance() *build.Instance {
	return load.Instances([]string{"./schema"}, &load.Config{
		FS: p.session(), Dir: "/", ModuleRoot: "/", Registry: offline{}, Env: []string{}, FromFSPath: p.display,
	})[0]
}
