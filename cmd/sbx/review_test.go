package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"
	cuejson "cuelang.org/go/encoding/json"
	"cuelang.org/go/encoding/jsonschema"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
)

// sarifSchema is OASIS's own schema of SARIF 2.1.0, errata 1, in the words of CUE.
func sarifSchema(t *testing.T) cue.Value {
	t.Helper()
	text, err := os.ReadFile("testdata/sarif-2.1.0.json")
	if err != nil {
		t.Fatal(err)
	}
	ctx := cuecontext.New()
	expr, err := cuejson.Extract("sarif-2.1.0.json", text)
	if err != nil {
		t.Fatal(err)
	}
	file, err := jsonschema.Extract(ctx.BuildExpr(expr), &jsonschema.Config{})
	if err != nil {
		t.Fatal(err)
	}
	schema := ctx.BuildFile(file)
	if err := schema.Err(); err != nil {
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
		if err := conforms(schema, stdout.Bytes()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		results += countResults(t, stdout.Bytes())
	}
	if results == 0 {
		t.Error("no log held a result")
	}
	if err := conforms(schema, []byte(`{"version": "2.1.0", "runs": [{"tool": {"driver": {}}}]}`)); err == nil {
		t.Error("a tool without a name is taken")
	}
}

// conforms says what of a log the schema does not take.
func conforms(schema cue.Value, log []byte) error {
	expr, err := cuejson.Extract("log.json", log)
	if err != nil {
		return err
	}
	return schema.Unify(cuecontext.New().BuildExpr(expr)).Validate(cue.Concrete(true))
}

func countResults(t *testing.T, log []byte) int {
	t.Helper()
	var parsed struct{ Runs []struct{ Results []any } }
	if err := json.Unmarshal(log, &parsed); err != nil {
		t.Fatal(err)
	}
	return len(parsed.Runs[0].Results)
}
