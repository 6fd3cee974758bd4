package load_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/sbx-dev/sbx/profiles"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/load"
)

func TestShippedProfiles(t *testing.T) {
	fromDisk, err := (&load.Config{Dir: "../.."}).Load("./profiles")
	if err != nil {
		t.Fatal(err)
	}
	shipped, err := (&load.Config{FS: profiles.FS()}).Load(".")
	if err != nil {
		t.Fatal(err)
	}
	if len(fromDisk) < 2 || len(fromDisk) != len(shipped) {
		t.Fatalf("%d profiles on disk, %d in the program", len(fromDisk), len(shipped))
	}
	for i, p := range fromDisk {
		if p.Name != shipped[i].Name {
			t.Errorf("profile %d is %s on disk and %s in the program", i, p.Name, shipped[i].Name)
		}
		if pos := p.Source.Pos("run.argv[0]"); pos.File != "profiles/"+p.Name+".cue" || pos.Line == 0 {
			t.Errorf("%s: run.argv[0] stands at %v", p.Name, pos)
		}
	}
}

// The rules of --policy are no profiles, where they stand among those that "/..."
// finds.
func TestRulesAmongProfiles(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"cue.mod/module.cue": "module: \"example.com/m@v0\"\nlanguage: version: \"v0.17.0\"\n",
		"web/web.cue":        "package web\n\nimport \"" + schema.ImportPath + "\"\n\nschema.#Profile & {name: \"web\", backend: \"lxc\", run: argv: [\"/bin/true\"]}\n",
		"rules/rules.cue":    "package rules\n\nbackend: \"lxc\"\n",
	} {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	found, err := (&load.Config{Dir: dir, Policy: filepath.Join(dir, "rules")}).Load("./...")
	if err != nil || len(found) != 1 {
		t.Errorf("%d profiles: %v", len(found), err)
	}
	if _, err := (&load.Config{Dir: dir}).Load("./..."); err == nil {
		t.Error("without --policy they are taken for a profile, and that is no error")
	}
}
