package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/schema/diag"
)

// TestManyRules compiles a profile of as many rules as one may have, and vets it
// with a mistake among them. What vet warns of is what compile warns of.
func TestManyRules(t *testing.T) {
	rules := make([]string, 5000)
	for i := range rules {
		rules[i] = fmt.Sprintf(`{in: tcp: [%d], from: "10.%d.%d.0/24"}`, i+1, i/250, i%250)
	}
	rules[4320] = `{in: tcp: [1], from: "10.0.0.0/25"}` // the first one covers it
	path := ruleProfile(t, rules)
	compiled := call(t, nil, "compile", path, "--output", filepath.Join(t.TempDir(), "bundle"))
	vetted := call(t, nil, "vet", path)
	for _, r := range []result{compiled, vetted} {
		if r.code != 0 || !strings.Contains(r.stderr, ":4333:1: warning["+diag.RedundantRule+"]: network.allow[4320]") || !strings.Contains(r.stderr, "warning["+diag.SlowFilter+"]") {
			t.Errorf("code %d\n%s", r.code, r.stderr)
		}
	}
	rules[4320] = `{in: tcp: [65536]}`
	r := call(t, nil, "vet", ruleProfile(t, rules))
	if r.code != verb.ExitError || !strings.Contains(r.stderr, ":4333:12: error[SBX0023]: network.allow[4320].in.tcp[0]") || strings.Count(r.stderr, "SBX") != 1 {
		t.Errorf("code %d\n%s", r.code, r.stderr)
	}
}

// ruleProfile writes a profile with those rules, and gives its path.
func ruleProfile(t testing.TB, rules []string) string {
	list := strings.Join(rules, ",\n")
	imports := ""
	if strings.Contains(list, "list.") {
		imports = "import \"list\"\n"
	}
	text := "package p\n" + imports + `
import "github.com/sbx-dev/sbx/schema"

schema.#Profile & {
	name:    "p"
	backend: "lxc"
	run: argv: ["/bin/true"]
	network: {
		attach:  "default"
		address: "10.0.0.80/8"
		allow: [
` + list + ",\n]\n}\n}\n"
	path := filepath.Join(t.TempDir(), "p.cue")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// randomRules draws rules that overlap as grown lists do: one in each so many is
// about a range of addresses of any width.
func randomRules(r *rand.Rand, n, wide int) []string {
	rules := make([]string, n)
	for i := range rules {
		low := 1 + r.IntN(60000)
		port := fmt.Sprint(low)
		if r.IntN(2) == 0 {
			port = fmt.Sprintf(`"%d-%d"`, low, low+r.IntN(200))
		}
		remote := fmt.Sprintf("10.%d.%d.0/24", r.IntN(256), r.IntN(256))
		if r.IntN(wide) == 0 {
			a, b := r.IntN(1<<16), r.IntN(1<<16)
			remote = fmt.Sprintf("10.%d.%d.0-10.%d.%d.255", min(a, b)>>8, min(a, b)&255, max(a, b)>>8, max(a, b)&255)
		}
		if rules[i] = fmt.Sprintf(`{in: tcp: [%s], from: %q}`, port, remote); r.IntN(2) == 0 {
			rules[i] = fmt.Sprintf(`{out: tcp: [%s], to: %q}`, port, remote)
		}
	}
	return rules
}

// madeRules is a comprehension that makes n rules, all different.
func madeRules(first, n int) string {
	return fmt.Sprintf(`for i in list.Range(%d, %d, 1) {in: tcp: [i + 1], from: "10.\(div(i, 250)).\(mod(i, 250)).0/24"}`, first, first+n)
}
