package compiler_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/internal/shelf"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/load"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden compiles the profile of each testdata/*.txtar and compares the
// whole bundle with the rest of the archive.
func TestGolden(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatal("no golden archives", err)
	}
	for _, name := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			golden, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			input := golden.Files[0]
			bundle := compile(t, loadText(t, input.Name, input.Data))
			got := &txtar.Archive{Comment: golden.Comment, Files: append([]txtar.File{input}, bundleArchive(t, bundle)...)}
			if *update {
				if err := os.WriteFile(name, txtar.Format(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(txtar.Format(golden)), string(txtar.Format(got))); diff != "" && !*update {
				t.Errorf("run with -update and read the difference:\n%s", diff)
			}
		})
	}
}

// bundleArchive is a bundle as files of an archive, the index first.
func bundleArchive(t *testing.T, b *compiler.Bundle) []txtar.File {
	t.Helper()
	index, err := b.Index.Encode()
	if err != nil {
		t.Fatal(err)
	}
	files := []txtar.File{{Name: "index.json", Data: index}}
	for _, f := range b.Files {
		files = append(files, txtar.File{Name: f.Name, Data: f.Data})
	}
	return files
}

// everyDocument calls f with each file of every golden archive, and of every shipped
// profile as a container and as a machine.
func everyDocument(t *testing.T, f func(from string, file txtar.File)) {
	t.Helper()
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatal("no golden archives", err)
	}
	for _, name := range archives {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range archive.Files {
			f(name, file)
		}
	}
	shipped, err := shelf.Names()
	if err != nil || len(shipped) == 0 {
		t.Fatal("no shipped profiles", err)
	}
	for _, name := range shipped {
		for _, backend := range schema.Backends() {
			p, err := shelf.Load(name, backend)
			if err != nil {
				t.Fatal(err)
			}
			if p == nil {
				continue
			}
			for _, file := range bundleArchive(t, compile(t, p)) {
				f(name, file)
			}
		}
	}
}

func loadText(t *testing.T, name string, data []byte) *schema.Profile {
	t.Helper()
	return loadOne(t, load.Config{FS: fstest.MapFS{name: {Data: data}}}, name)
}

func loadOne(t *testing.T, c load.Config, arg string) *schema.Profile {
	t.Helper()
	found, err := c.Load(arg)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 1 {
		t.Fatalf("%s holds %d profiles", arg, len(found))
	}
	return found[0]
}

func compile(t *testing.T, p *schema.Profile) *compiler.Bundle {
	t.Helper()
	b, err := compiler.Compile(p, compiler.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The same project gives the same bytes wherever it stands and from wherever it
// is compiled.
func TestSameBytesFromEveryFolder(t *testing.T) {
	elsewhere := t.TempDir()
	for _, part := range []string{"cue.mod", "profiles"} {
		if err := os.CopyFS(filepath.Join(elsewhere, part), os.DirFS(filepath.Join("..", part))); err != nil {
			t.Fatal(err)
		}
	}
	shipped, err := shelf.Names()
	if err != nil || len(shipped) == 0 {
		t.Fatal("no shipped profiles", err)
	}
	for _, name := range shipped {
		name += ".cue"
		here := bundleArchive(t, compile(t, loadOne(t, load.Config{Dir: "../profiles"}, name)))
		there := bundleArchive(t, compile(t, loadOne(t, load.Config{Dir: "/"}, filepath.Join(elsewhere, "profiles", name))))
		for i := range here {
			if !bytes.Equal(here[i].Data, there[i].Data) {
				t.Errorf("%s: %s differs:\n%s", name, here[i].Name, cmp.Diff(string(here[i].Data), string(there[i].Data)))
			}
		}
	}
}
