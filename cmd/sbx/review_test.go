package main

import (
	"bytes"
	"context"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	_ "github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif" // for its schema
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/xeipuuv/gojsonschema"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
)

// sarifSchema is OASIS's own schema of SARIF 2.1.0, which go-sarif holds as a
// constant of its source.
func sarifSchema(t *testing.T) *gojsonschema.Schema {
	t.Helper()
	dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", "github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif").Output()
	if err != nil {
		t.Fatal(err)
	}
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(strings.TrimSpace(string(dir)), "schema.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var text string
	ast.Inspect(f, func(n ast.Node) bool {
		if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
			text, err = strconv.Unquote(l.Value)
		}
		return true
	})
	schema, err := gojsonschema.NewSchema(gojsonschema.NewStringLoader(text))
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestSARIFIsValid(t *testing.T) {
	pairs, err := filepath.Glob("../../compiler/review/testdata/*.txtar")
	if err != nil || len(pairs) == 0 {
		t.Fatal("no pairs found", err)
	}
	schema, results := sarifSchema(t), 0
	for _, name := range pairs {
		a, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		for _, f := range a.Files {
			if err := os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		var stdout, stderr bytes.Buffer
		code := run(context.Background(), strings.NewReader(""), &stdout, &stderr,
			[]string{"review", "--format", "sarif", filepath.Join(dir, "old.cue"), filepath.Join(dir, "new.cue")})
		if code == verb.ExitError {
			t.Fatalf("%s: %s", name, stderr.String())
		}
		result, err := schema.Validate(gojsonschema.NewBytesLoader(stdout.Bytes()))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, fault := range result.Errors() {
			t.Errorf("%s: %v", name, fault)
		}
		results += countResults(t, stdout.Bytes())
	}
	if results == 0 {
		t.Error("no log held a result")
	}
}

func countResults(t *testing.T, log []byte) int {
	t.Helper()
	var parsed struct{ Runs []struct{ Results []any } }
	if err := json.Unmarshal(log, &parsed); err != nil {
		t.Fatal(err)
	}
	return len(parsed.Runs[0].Results)
}
