package diag_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/schema/diag"
)

var code = regexp.MustCompile(`SBX[0-9]{4}`)

// Every code that any source file names has an explanation, and every explained
// code is used.
func TestEveryCodeIsExplained(t *testing.T) {
	used := make(map[string]bool)
	walk := func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && d.Name() != ".." || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		ext := filepath.Ext(path)
		if ext != ".go" && ext != ".cue" || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, "explanations.go") {
			return nil
		}
		data, err := os.ReadFile(path)
		for _, c := range code.FindAllString(string(data), -1) {
			used[c] = true
		}
		return err
	}
	if err := filepath.WalkDir("../..", walk); err != nil {
		t.Fatal(err)
	}
	for c := range used {
		if _, ok := diag.Explain(c); !ok {
			t.Errorf("%s is used and not explained", c)
		}
	}
	for _, e := range diag.Explanations {
		if !used[e.Code] {
			t.Errorf("%s is explained and not used", e.Code)
		}
		if e.Title == "" || e.Text == "" {
			t.Errorf("%s has no title or no text", e.Code)
		}
	}
	if !slices.IsSortedFunc(diag.Explanations, func(a, b diag.Explanation) int { return strings.Compare(a.Code, b.Code) }) {
		t.Error("the explanations are not in the order of their codes")
	}
}

var update = flag.Bool("update", false, "rewrite docs/diagnostics.md and docs/troubleshooting.md")

// The two pages are the explanations, one after the other.
func TestThePagesOfCodesAreTrue(t *testing.T) {
	for name, page := range map[string]struct {
		head string
		has  func(code string) bool
	}{
		"diagnostics": {"# Diagnostics\n\nWhat each code of a mistake in a profile means; `sbx help CODE` says the same. Those of a host are in [troubleshooting](troubleshooting.md). A test keeps this page true.\n",
			func(code string) bool { return !diag.OfHost(code) }},
		"troubleshooting": {troubleshooting, diag.OfHost},
	} {
		var b strings.Builder
		b.WriteString(page.head)
		for _, e := range diag.Explanations {
			if page.has(e.Code) {
				writeExplanation(&b, e)
			}
		}
		file := "../../docs/" + name + ".md"
		if *update {
			if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		have, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if string(have) != b.String() {
			t.Errorf("%s is not what the explanations say; rewrite it with -update", file)
		}
	}
}

const troubleshooting = `# Troubleshooting

What keeps a right profile from running on a host: what sbx says, what that means and what to do. A test keeps this page true, and another breaks a host in each of these ways.

Where to look first:
- ` + "`sbx doctor`" + ` says what works on this host, and how to mend the rest; the exit code is 1 where something fails.
- ` + "`sbx logs NAME`" + ` is what a service wrote. One that failed to start is taken away again, and its last words are in the message; ` + "`sbx up --keep-failed`" + ` leaves it.
- ` + "`sbx denied NAME`" + ` is what does not reach a service, or what it does not reach: what its wall has dropped, and the rule that is missing for it. Where that is nothing, and ` + "`sbx explain PROFILE 'in tcp -> :80'`" + ` says that it passes, look whether the service listens (` + "`sbx exec NAME -- ss -ltn`" + `).
- ` + "`sbx drift`" + ` says what is no longer as its profile says.
- What another program said stands last in a message, behind what it means for the sandbox.

The same text by its code: ` + "`sbx help SBX0510`" + `.
`

func writeExplanation(b *strings.Builder, e diag.Explanation) {
	fmt.Fprintf(b, "\n## %s: %s\n\n%s\n", e.Code, e.Title, e.Text)
	wrong, right := e.Labels()
	if e.Wrong != "" {
		fmt.Fprintf(b, "\n%s\n\n```text\n%s\n```\n", wrong, e.Wrong)
	}
	if e.Right != "" {
		fmt.Fprintf(b, "\n%s\n\n```text\n%s\n```\n", right, e.Right)
	}
}

func example() diag.List {
	return diag.List{
		{Pos: diag.Pos{File: "a,b.cue", Line: 3, Column: 7, End: 9}, Severity: diag.Error, Code: diag.BadName, Path: "name", Message: "50% wrong", Help: "mend it",
			Notes: []diag.Note{{Pos: diag.Pos{File: "c.cue", Line: 1, Column: 1}, Message: "because"}}},
		{Pos: diag.Pos{File: "a,b.cue"}, Severity: diag.Warning, Code: diag.RedundantRule, Message: "two\nlines"},
	}
}

func TestFormats(t *testing.T) {
	for _, c := range []struct {
		name  string
		write func(io.Writer, diag.List) error
		want  string
	}{
		{"github", diag.GitHub, "::error file=a%2Cb.cue,line=3,col=7,title=SBX0020::name: 50%25 wrong%0Ahelp: mend it\n" +
			"::warning file=a%2Cb.cue,line=1,col=1,title=SBX0402::two%0Alines\n"},
		{"text", func(w io.Writer, l diag.List) error { return diag.Text(w, l, diag.Style{}) },
			"a,b.cue:3:7: error[SBX0020]: name: 50% wrong\nc.cue:1:1: note: because\n  help: mend it\n\n" +
				"a,b.cue: warning[SBX0402]: two<U+000A>lines\n"},
	} {
		var b strings.Builder
		if err := c.write(&b, example()); err != nil || b.String() != c.want {
			t.Errorf("%s: %v\n%s\nwant\n%s", c.name, err, b.String(), c.want)
		}
	}
}

// What a profile's text holds cannot steer the terminal, nor read as other text
// than it is.
func TestTextIsSafe(t *testing.T) {
	var b strings.Builder
	l := diag.List{{Severity: diag.Error, Code: diag.BadText, Path: "\x1b[2J", Message: "a\x1b]0;x\x07\u202eb", Help: "\u009b31m"}}
	if err := diag.Text(&b, l, diag.Style{}); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(b.String(), "\x1b\x07\u009b\u202e") {
		t.Errorf("unsafe: %q", b.String())
	}
}

// Annotations need the lines as numbers from 1, and a rule for each code.
func TestSARIF(t *testing.T) {
	var b bytes.Buffer
	if err := diag.SARIF(&b, example(), "v1"); err != nil {
		t.Fatal(err)
	}
	var log struct {
		Version string
		Runs    []struct {
			Tool struct {
				Driver struct{ Rules []struct{ ID string } }
			}
			Results []struct {
				RuleID    string
				Level     string
				Locations []struct {
					PhysicalLocation struct {
						Region *struct{ StartLine, EndColumn int }
					}
				}
				RelatedLocations []any
			}
		}
	}
	if err := json.Unmarshal(b.Bytes(), &log); err != nil {
		t.Fatal(err)
	}
	run := log.Runs[0]
	if log.Version != "2.1.0" || len(run.Tool.Driver.Rules) != 2 || len(run.Results) != 2 {
		t.Fatalf("got %+v", log)
	}
	first := run.Results[0]
	if first.RuleID != diag.BadName || first.Level != "error" || first.Locations[0].PhysicalLocation.Region.StartLine != 3 ||
		first.Locations[0].PhysicalLocation.Region.EndColumn != 9 || len(first.RelatedLocations) != 1 {
		t.Errorf("got %+v", first)
	}
	if run.Results[1].Locations[0].PhysicalLocation.Region != nil {
		t.Error("a place without a line has a region")
	}
}

// No code means two things.
func TestCodesAreUnique(t *testing.T) {
	seen := make(map[string]string)
	for _, e := range diag.Explanations {
		if title, ok := seen[e.Code]; ok {
			t.Errorf("%s means %q and %q", e.Code, title, e.Title)
		}
		seen[e.Code] = e.Title
	}
}
