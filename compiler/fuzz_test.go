package compiler_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/schema/diag"
	"github.com/sbx-dev/sbx/schema/load"
)

// FuzzCompile puts any text at all through the whole of `sbx compile`. It must
// come out as a bundle or as diagnostics. What takes longer than the loader
// allows is a find: its own bounds on a text must have kept it from CUE.
func FuzzCompile(f *testing.F) {
	for _, pattern := range []string{"../profiles/*.cue", "../schema/testdata/bad/*.txtar"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatal(pattern, files, err)
		}
		for _, name := range files {
			data, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			if strings.HasSuffix(name, ".txtar") {
				data = txtar.Parse(data).Files[0].Data
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		files := fstest.MapFS{"p.cue": {Data: text}}
		found, err := (&load.Config{FS: files}).Load("p.cue")
		if err != nil {
			refused(t, err)
			return
		}
		for _, p := range found {
			if _, err := compiler.Compile(p, compiler.Options{}); err != nil {
				refused(t, err)
			}
		}
	})
}

// refused checks that err speaks to a person, and that nothing had to be stopped.
func refused(t *testing.T, err error) {
	list, ok := diag.From(err)
	if !ok || len(list) == 0 {
		t.Fatalf("not diagnostics: %v", err)
	}
	for _, d := range list {
		for _, stopped := range []string{"to evaluate", "CUE fails"} {
			if strings.Contains(d.Message, stopped) {
				t.Fatal(d)
			}
		}
	}
}
