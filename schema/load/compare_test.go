package load_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
	"github.com/sbx-dev/sbx/schema/load"
)

// said is what a tool says of a broken profile.
type said struct {
	refused bool
	lines   int  // of output
	place   bool // it names the line of the (first) mistake, among others
	help    bool // it says what is wanted instead
}

// TestAgainstCue puts the corpus of broken profiles through `cue vet` and through
// sbx, and keeps the table of testdata/against-cue.md true. Where the mistake is, the
// corpus itself says: its diagnostics were read by people.
func TestAgainstCue(t *testing.T) {
	if testing.Short() {
		t.Skip("it evaluates the whole corpus with plain CUE")
	}
	cases, err := filepath.Glob("../testdata/bad/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	cue := filepath.Join(t.TempDir(), "cue")
	if out, err := exec.Command("go", "build", "-modfile=../../scripts/tools.mod", "-o", cue, "cuelang.org/go/cmd/cue").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var rows strings.Builder
	var sums [2]struct{ refused, lines, place, help int }
	for _, file := range cases {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		dir := unpack(t, a)
		place, sbx := sbxVet(t, dir, a)
		plain := cueVet(t, cue, dir, a, place)
		for i, s := range []said{plain, sbx} {
			sums[i].refused += count(s.refused)
			sums[i].lines += s.lines
			sums[i].place += count(s.place)
			sums[i].help += count(s.help)
		}
		fmt.Fprintf(&rows, "| %s | %s | %s |\n", strings.TrimSuffix(filepath.Base(file), ".txtar"), plain, sbx)
	}
	n := len(cases)
	page := fmt.Sprintf(table, n,
		sums[0].refused, n, sums[1].refused, n,
		float64(sums[0].lines)/float64(n), float64(sums[1].lines)/float64(n),
		sums[0].place, n, sums[1].place, n,
		sums[0].help, n, sums[1].help, n, rows.String())
	const name = "../testdata/against-cue.md"
	if *update {
		if err := os.WriteFile(name, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(have), page); d != "" {
		t.Errorf("the table is not true any more (-have +want), rewrite it with -update:\n%s", d)
	}
}

const table = `# Plain cue vet and sbx vet

The %d broken profiles of schema/testdata/bad, checked by both. TestAgainstCue keeps this table true.

| | cue vet | sbx vet |
|---|---|---|
| refused | %d of %d | %d of %d |
| lines of output, on average | %.1f | %.1f |
| names the line of the mistake | %d of %d | %d of %d |
| says what to write instead | %d of %d | %d of %d |

` + "`cue vet` sees the schema alone. What it accepts are mistakes between values, which sbx checks in Go; cue vet is given the benefit of the doubt where it names several lines. " + `A row gives lines of output, then ✓ for the place and ✓ for help.

| profile | cue vet | sbx vet |
|---|---|---|
%s`

func (s said) String() string {
	if !s.refused {
		return "accepted"
	}
	text := fmt.Sprint(s.lines)
	for _, is := range []bool{s.place, s.help} {
		if is {
			text += " ✓"
		} else {
			text += " –"
		}
	}
	return text
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

// sbxVet gives the place of the first mistake, as file:line, and what sbx says.
func sbxVet(t *testing.T, dir string, a *txtar.Archive) (place string, s said) {
	_, err := (&load.Config{Dir: dir, Tags: tagsOf(a)}).Load(a.Files[0].Name)
	list, ok := diag.From(err)
	if !ok {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := diag.Text(&out, list.Relative(dir), diag.Style{}); err != nil {
		t.Fatal(err)
	}
	d := list[0]
	place = fmt.Sprintf("%s:%d", d.Pos.File, d.Pos.Line)
	return place, said{refused: true, lines: bytes.Count(out.Bytes(), []byte("\n")), place: true, help: d.Help != ""}
}

// somewhere is how cue names a place.
var somewhere = regexp.MustCompile(`\./([^:\s]+:[0-9]+)`)

// cueVet runs cue in a module that the schema is vendored in, as sbx init makes.
func cueVet(t *testing.T, cue, dir string, a *txtar.Archive, place string) said {
	vendor(t, dir)
	args := []string{"vet", "-c"}
	for _, tag := range tagsOf(a) {
		args = append(args, "-t", tag)
	}
	first := a.Files[0].Name
	switch filepath.Ext(first) {
	case ".cue":
		args = append(args, "./"+filepath.ToSlash(filepath.Dir(first)))
	default:
		args = append(args, "-d", "#Profile", "github.com/sbx-dev/sbx/schema", "./"+first)
	}
	c := exec.Command(cue, args...)
	c.Dir = dir
	out, err := c.CombinedOutput()
	var exit *exec.ExitError
	if err == nil {
		return said{}
	}
	if !errors.As(err, &exit) {
		t.Fatal(err)
	}
	s := said{refused: true, lines: bytes.Count(out, []byte("\n"))}
	for _, m := range somewhere.FindAllSubmatch(out, -1) {
		s.place = s.place || string(m[1]) == place
	}
	s.help = bytes.Contains(out, []byte(": want ")) // the schema's own words
	return s
}

// vendor puts the schema where plain cue looks for it.
func vendor(t *testing.T, dir string) {
	files := map[string][]byte{}
	for name, data := range schema.Files() {
		files["cue.mod/pkg/"+schema.ImportPath+"/"+name] = data
	}
	if _, err := os.Stat(filepath.Join(dir, "cue.mod/module.cue")); err != nil {
		files["cue.mod/module.cue"] = []byte("module: \"example.com/m@v0\"\nlanguage: version: \"v0.17.0\"\n")
	}
	for name, data := range files {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
