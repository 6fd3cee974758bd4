package load_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sbx-dev/sbx/schema/diag"
	"github.com/sbx-dev/sbx/schema/load"
)

var update = flag.Bool("update", false, "rewrite the expected diagnostics")

// wantFile holds a broken profile's diagnostics, as a person sees them.
const wantFile = "want"

// TestBadProfiles checks every broken profile of testdata/bad against its exact
// diagnostics. A case is a txtar archive: its first file is the profile, and the
// comment may set tags, as in "tags: port=80".
func TestBadProfiles(t *testing.T) {
	cases, err := filepath.Glob("../testdata/bad/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) < 120 {
		t.Errorf("%d broken profiles, want at least 120", len(cases))
	}
	for _, file := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			badProfile(t, file)
		})
	}
}

func badProfile(t *testing.T, file string) {
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	dir := unpack(t, a)
	c := load.Config{Dir: dir, Tags: tagsOf(a)}
	profiles, err := c.Load(a.Files[0].Name)
	list, ok := diag.From(err)
	if !ok {
		t.Fatalf("got %d profiles and error %v, want diagnostics", len(profiles), err)
	}
	var got bytes.Buffer
	if err := diag.Text(&got, list.Relative(dir), diag.Style{}); err != nil {
		t.Fatal(err)
	}
	compareWant(t, file, a, got.Bytes())
	for _, d := range list {
		if _, ok := diag.Explain(d.Code); !ok {
			t.Errorf("code %s has no explanation", d.Code)
		}
		if d.Pos.Line == 0 && d.Code != diag.Tag { // a tag is given on the command line
			t.Errorf("%s names no line", d.Error())
		}
	}
}

// unpack writes an archive's files to a folder of the test.
func unpack(t *testing.T, a *txtar.Archive) string {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range a.Files {
		if f.Name == wantFile {
			continue
		}
		name := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func tagsOf(a *txtar.Archive) []string {
	for line := range strings.Lines(string(a.Comment)) {
		if tags, ok := strings.CutPrefix(line, "tags: "); ok {
			return strings.Fields(tags)
		}
	}
	return nil
}

func compareWant(t *testing.T, file string, a *txtar.Archive, got []byte) {
	var want []byte
	at := -1
	for i, f := range a.Files {
		if f.Name == wantFile {
			at, want = i, f.Data
		}
	}
	if !*update {
		if d := cmp.Diff(string(want), string(got)); d != "" {
			t.Errorf("diagnostics (-want +got):\n%s", d)
		}
		return
	}
	if at < 0 {
		a.Files = append(a.Files, txtar.File{Name: wantFile})
		at = len(a.Files) - 1
	}
	a.Files[at].Data = got
	if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
		t.Fatal(err)
	}
}
