package schema_test

import (
	"testing"

	"github.com/sbx-dev/sbx/profiles"
	"github.com/sbx-dev/sbx/schema"
)

func TestShippedProfiles(t *testing.T) {
	fromDisk, err := (&schema.Config{Dir: ".."}).Load("./profiles")
	if err != nil {
		t.Fatal(err)
	}
	shipped, err := (&schema.Config{FS: profiles.FS()}).Load(".")
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
