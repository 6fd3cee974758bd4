package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/internal/plain"
)

// printers are files and functions that print in another way than by package say,
// each with what keeps others' words from a terminal there.
var printers = map[string]string{
	"internal/say/say.go":             "it is say",
	"man.go":                          "the words are sbx's own",
	"help.go":                         "the words are sbx's own",
	"helpfield.go":                    "the words are sbx's own",
	"tophelp.go":                      "the words are sbx's own",
	"completion.go":                   "the words are sbx's own",
	"internal/service/logs.go: plain": "RawFlag gives it a writer",
	"internal/service/attach.go: Run": "RawFlag gives it a writer",
	"internal/author/compile.go: printBundles":      "data for a program",
	"internal/author/draft.go: put":                 "a profile whose comments and literals are cleaned as it is written",
	"internal/author/export.go: Run":                "data for a program",
	"internal/author/fmt.go: file":                  "a file's own text, or a patch of it",
	"internal/service/plan.go: Run":                 "data for a program",
	"internal/command/run.go: Run":                  "a profile made of the user's own flags",
	"internal/author/schema.go":                     "the words are sbx's own",
	"internal/command/learn_print.go: printChanges": "a patch of a file's own text",
}

// All that is printed goes through package say, or stands in the list.
func TestWhatIsPrintedIsCleaned(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	inside, err := filepath.Glob("internal/*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, file := range slices.Concat(files, inside) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		fset := token.NewFileSet()
		tree, err := parser.ParseFile(fset, file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range tree.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			ast.Inspect(f, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok || !prints(call) {
					return true
				}
				where := file + ": " + f.Name.Name
				if printers[file] != "" {
					where = file
				}
				used[where] = true
				if printers[where] == "" {
					t.Errorf("%s prints by itself in %s: use package say", fset.Position(call.Pos()), f.Name.Name)
				}
				return true
			})
		}
	}
	for where := range printers {
		if !used[where] {
			t.Errorf("the list names %s, which prints nothing", where)
		}
	}
}

// prints says whether a call writes to what may be a person's: by package fmt or io,
// or by a writer's own method.
func prints(call *ast.CallExpr) bool {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	receiver := ""
	switch x := selector.X.(type) {
	case *ast.Ident:
		receiver = x.Name
	case *ast.SelectorExpr:
		receiver = x.Sel.Name
	}
	name := selector.Sel.Name
	switch receiver {
	case "fmt":
		return strings.HasPrefix(name, "Fprint") || strings.HasPrefix(name, "Print")
	case "io":
		return name == "WriteString" || strings.HasPrefix(name, "Copy")
	case "stdout", "stderr", "Stdout", "Stderr", "w":
		return strings.HasPrefix(name, "Write")
	}
	return false
}

// hostileName is a folder's name that gives orders to a terminal, and to what reads
// the log of a CI job.
const hostileName = "a\x1b]0;owned\x07\n::warning::owned"

// The names of files reach neither, whatever verb tells of them.
func TestNamesOfFilesAreCleaned(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir(hostileName, 0o755); err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(hostileName, "p.cue")
	write := func(text string) {
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const right = "package p\nimport \"github.com/sbx-dev/sbx/schema\"\nschema.#Profile & {name: \"p\", backend: \"lxc\", run: argv: [\"/bin/true\"], tests: t: never: in: tcp: [1], network: {attach: \"n\", address: \"10.0.0.2/24\", allow: [{in: tcp: [1]}]}}\n"
	for _, c := range []struct{ text, args string }{
		{"package p\nname: \"p\" \"q\"\n", "vet"},
		{"package p\nname: 3\n", "vet --format text"},
		{strings.Replace(right, "lxc", "lxd", 1), "vet"},
		{strings.Replace(right, "lxc", "lxd", 1), "vet --format github"},
		{strings.Replace(right, "lxc", "lxd", 1), "export"},
		{strings.Replace(right, "lxc", "lxd", 1), "compile"},
		{right, "vet"},
		{right, "test"},
		{right, "fmt --diff"},
		{right, "explain"},
		{right, "explain read"},
		{right, "export --origin"},
		{right, "vet --tags"},
	} {
		write(c.text)
		var out bytes.Buffer
		args := append(strings.Fields(c.args), at)
		switch c.args {
		case "explain":
			args = append(args, "in tcp 10.0.0.7 -> :1")
		case "explain read":
			args = []string{"explain", at, "read /" + hostileName}
		}
		code := run(t.Context(), strings.NewReader(""), &out, &out, args)
		for line := range strings.Lines(out.String()) {
			line = strings.TrimSuffix(line, "\n")
			if strings.HasPrefix(strings.TrimSpace(line), "::warning::owned") || strings.ContainsFunc(line, plain.Speaks) {
				t.Errorf("sbx %s prints %q", c.args, line)
			}
		}
		t.Logf("sbx %s: %d\n%s", c.args, code, out.String())
	}
}
