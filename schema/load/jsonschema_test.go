package load_test

import (
	"path/filepath"
	"strings"
	"testing"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"
	cuejson "cuelang.org/go/encoding/json"
	"cuelang.org/go/encoding/jsonschema"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sbx-dev/sbx/schema/load"
)

// beyondJSONSchema are the prefixes of broken profiles that a JSON Schema cannot
// refuse: mistakes between values, duplicates, and what only CUE's net and
// strings packages check.
var beyondJSONSchema = []string{
	"accept", "address-", "after-itself", "capability-twice", "conflict-parent", "controls", "create-bridge", "create-no-dhcp", "create-outside", "create-range", "create-same", "create-twice",
	"devices-kvm", "devices-twice", "every-not", "dhcp-", "expose-below", "expose-proc", "expose-twice", "display-large", "gateway-", "icmp-family", "ids-all-and", "ids-beyond", "ids-kvm", "ids-namespace", "ids-tmpfs", "ids-twice", "figures-kvm", "figures-writable", "file-nul", "import-", "machine-lxc", "memory-kvm", "mount-below-file", "mount-in-read-only-image",
	"mount-exposed", "mount-format", "mount-hides", "mount-host-dev", "mount-image-lxc", "mount-mode-host", "mount-proc",
	"mount-writable-tmpfs", "name-of", "network-two", "owner-", "path-step", "port-range-back", "port-twice", "route-", "rule-connections", "rule-from-out",
	"rule-host-bits", "rule-parent", "rule-range-back", "rule-range-family", "rule-to-in", "run-capability", "size-small", "socket-fields", "socket-folder", "socket-itself", "socket-kvm", "socket-two", "sockets-", "syscall-unknown", "timeout-long", "timeout-zero", "ulimit-files", "user-high",
	"users-base-off", "users-kvm",
}

// The JSON Schema takes every shipped profile, and refuses the broken ones that
// are data and that it has words for.
func TestJSONSchema(t *testing.T) {
	text, err := load.JSONSchema()
	if err != nil {
		t.Fatal(err)
	}
	ctx := cuecontext.New()
	expr, err := cuejson.Extract("schema.json", text)
	if err != nil {
		t.Fatal(err)
	}
	file, err := jsonschema.Extract(ctx.BuildExpr(expr), &jsonschema.Config{})
	if err != nil {
		t.Fatal(err)
	}
	checks := ctx.BuildFile(file)
	if err := checks.Err(); err != nil {
		t.Fatal(err)
	}
	shipped, err := (&load.Config{Dir: "../.."}).Load("./profiles")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range shipped {
		data, err := load.Export(p, "json")
		if err != nil {
			t.Fatal(err)
		}
		if err := accepts(ctx, checks, data); err != nil {
			t.Errorf("%s is refused: %v", p.Name, err)
		}
	}
	refuseCorpus(t, ctx, checks)
}

func accepts(ctx *cue.Context, checks cue.Value, data []byte) error {
	expr, err := cuejson.Extract("profile.json", data)
	if err != nil {
		return err
	}
	return checks.Unify(ctx.BuildExpr(expr)).Validate(cue.Concrete(true))
}

func refuseCorpus(t *testing.T, ctx *cue.Context, checks cue.Value) {
	cases, err := filepath.Glob("../testdata/bad/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for _, file := range cases {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		data, ok := asData(string(a.Files[0].Data))
		if !ok {
			continue // it is not a single struct of plain data
		}
		beyond := false
		for _, prefix := range beyondJSONSchema {
			beyond = beyond || strings.HasPrefix(name, prefix)
		}
		switch err := accepts(ctx, checks, data); {
		case err != nil:
			refused++
		case !beyond:
			t.Errorf("%s is accepted", name)
		}
	}
	if refused < 90 {
		t.Errorf("only %d of %d broken profiles were refused", refused, len(cases))
	}
}

// asData gives a broken profile as JSON, where its CUE is plain data once the
// schema is taken out of it.
func asData(text string) ([]byte, bool) {
	text = strings.Replace(text, `import "github.com/sbx-dev/sbx/schema"`, "", 1)
	text = strings.Replace(text, "schema.#Profile & {", "{", 1)
	v := cuecontext.New().CompileString(text)
	if v.Validate(cue.Concrete(true), cue.Final()) != nil {
		return nil, false
	}
	data, err := v.MarshalJSON()
	return data, err == nil
}
