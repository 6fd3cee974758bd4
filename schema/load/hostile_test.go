package load_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/schema/diag"
	"github.com/sbx-dev/sbx/schema/load"
)

const head = "package p\n\nimport \"github.com/sbx-dev/sbx/schema\"\n\nschema.#Profile & {\n\tname: \"web\"\n\tbackend: \"lxc\"\n\trun: argv: [\"/bin/true\"]\n"

// hostile are profiles that mean to take up time, memory or files of the host.
var hostile = map[string]struct{ file, text, code string }{
	"a long text":                  {"p.cue", head + "description: \"" + strings.Repeat("x", 10<<20) + "\"\n}", diag.TooMuch},
	"100000 mounts":                {"p.cue", head + "mounts: {" + many(100_000, `"/m%d": tmpfs: "1MiB"`) + "}\n}", diag.TooMuch},
	"5000 mounts":                  {"p.cue", head + "mounts: {" + many(5000, `"/m%d": tmpfs: "1MiB"`) + "}\n}", diag.TooMany},
	"30000 mounts":                 {"p.cue", head + "mounts: {" + many(30_000, `"/m%d": tmpfs: "1MiB"`) + "}\n}", diag.TooMuch},
	"30000 more fields":            {"p.cue", head + "}\n" + many(30_000, `_m%d: {a: 1}`) + "\na: 1", ""},
	"90000 rules of nothing":       {"p.cue", head + "network: allow: [" + strings.Repeat("1,", 90_000) + "]\n}", diag.TooMuch},
	"5000 wrong rules":             {"p.cue", head + "network: {attach: \"a\", allow: [" + strings.Repeat("{in: tcp: [0], to: 5, x: 1},\n", 5000) + "]}\n}", ""},
	"5000 rules in conflict":       {"p.cue", head + "network: {attach: \"a\", allow: [" + strings.Repeat("{in: tcp: [1, 2] & [2, 1]},\n", 5000) + "]}\n}", ""},
	"5000 rules of choices":        {"p.cue", head + "network: {attach: \"a\", allow: [" + strings.Repeat("{in: tcp: [1, 80]} | {in: udp: [1, 2]},\n", 5000) + "]}\n}", ""},
	"5000 rules of comprehensions": {"p.cue", "import \"list\"\n" + head[len("package p\n"):] + "network: {attach: \"a\", allow: [for i in list.Range(0, 5000, 1) {in: tcp: [0, 5]}]}\n}", ""},
	"brackets":                     {"p.cue", "a: " + strings.Repeat("[", 500_000), diag.TooMuch},
	"braces":                       {"p.cue", strings.Repeat("{a:", 100_000) + "1", diag.TooMuch},
	"parentheses":                  {"p.cue", "a: " + strings.Repeat("(", 500_000) + "1", diag.TooMuch},
	"field chains":                 {"p.cue", strings.Repeat("a: ", 300_000) + "1", diag.TooMuch},
	"signs":                        {"p.cue", "a: " + strings.Repeat("-", 900_000) + "1", diag.TooMuch},
	"operators":                    {"p.cue", "a: 1" + strings.Repeat("+1", 400_000), diag.TooMuch},
	"selectors":                    {"p.cue", "a: b" + strings.Repeat(".c", 400_000), diag.TooMuch},
	"interpolations":               {"p.cue", "a: " + strings.Repeat("\"\\(", 100_000), diag.TooMuch},
	"JSON brackets":                {"p.json", strings.Repeat("[", 900_000), diag.TooMuch},
	"YAML brackets":                {"p.yaml", "a: " + strings.Repeat("[", 900_000), diag.TooMuch},
	"YAML aliases":                 {"p.yaml", yamlLaughs(30), ""},
	"laughs in lists":              {"p.cue", laughs(30, "[%[1]s, %[1]s]"), diag.TooMuch},
	"laughs in structs":            {"p.cue", laughs(30, "{x: %[1]s, y: %[1]s}"), diag.TooMuch},
	"laughs in texts":              {"p.cue", laughs(40, `"\(%[1]s)\(%[1]s)"`), diag.TooMuch},
	"laughs in sums":               {"p.cue", laughs(40, "%[1]s + %[1]s"), diag.TooMuch},
	"laughs through let":           {"p.cue", "let a0 = \"x\"\n" + many(40, "let a%[2]d = a%[1]d + a%[1]d") + "\na: a40", diag.TooMuch},
	"laughs in comprehensions":     {"p.cue", "a0: [1, 2]\n" + many(30, "a%[2]d: [for x in a%[1]d for y in a%[1]d {x}]"), diag.TooMuch},
	"powers":                       {"p.cue", "a0: 9\n" + many(40, "a%[2]d: a%[1]d * a%[1]d"), diag.TooMuch},
	"exponents":                    {"p.cue", "a: 1e999999999", diag.TooMuch},
	"repeated texts":               {"p.cue", "import \"strings\"\na: strings.Repeat(\"x\", 9999999999)", diag.TooMuch},
	"repeated texts by name":       {"p.cue", "import \"strings\"\nn: 9999999999\na: strings.Repeat(\"x\", n)", diag.TooMuch},
	"repeated lists":               {"p.cue", "import \"list\"\na: list.Repeat([1], 9999999999)", diag.TooMuch},
	"ranges":                       {"p.cue", "import \"list\"\na: list.Range(0, 9999999999, 1)", diag.TooMuch},
	"ranges downwards":             {"p.cue", "import \"list\"\na: list.Range(9999999999, 0, -1)", diag.TooMuch},
	"ranges from below":            {"p.cue", "import \"list\"\na: list.Range(-9999999999, 0, 1)", diag.TooMuch},
	"ranges downwards, gone over":  {"p.cue", "import \"list\"\na: [for i in list.Range(999, 0, -1) for j in list.Range(-9999, 0, 1) {i}]", diag.TooMuch},
	"multiplied texts":             {"p.cue", "a: \"x\" * 9999999999", diag.TooMuch},
	"texts multiplied by less":     {"p.cue", "a: \"x\" * 9999999999 * -9999999999", diag.TooMuch},
	"replaced texts":               {"p.cue", "import \"strings\"\na0: \"aaaaaaaaaa\"\n" + many(30, "a%[2]d: strings.Replace(a%[1]d, \"a\", a%[1]d, -1)"), diag.TooMuch},
	"disjunctions":                 {"p.cue", many(30, "a: {x%[1]d: 1} | {y%[1]d: 1}"), diag.TooMuch},
	"an import of the host":        {"p.cue", "import \"../../../../etc\"\na: 1", ""},
	"odd letters":                  {"p.cue", head + "description: \"\xff\xfe\"\n}", ""},
	"a byte order mark":            {"p.cue", "\ufeff" + head + "}x", ""},
	"NUL":                          {"p.cue", "a: \x00", ""},
	"cycles":                       {"p.cue", "a: b\nb: c\nc: a & {d: a}", ""},
}

// many writes a pattern for 0, 1, …, with its number and the one after it.
func many(n int, pattern string) string {
	lines := make([]string, n)
	for i := range lines {
		lines[i] = fmt.Sprintf(pattern, i, i+1)
		if before, _, ok := strings.Cut(lines[i], "%!(EXTRA"); ok {
			lines[i] = before
		}
	}
	return strings.Join(lines, "\n")
}

// laughs makes each field of the one before it, by a pattern.
func laughs(n int, pattern string) string {
	lines := []string{`a0: "ha"`}
	for i := range n {
		lines = append(lines, fmt.Sprintf("a%d: ", i+1)+fmt.Sprintf(pattern, fmt.Sprintf("a%d", i)))
	}
	return strings.Join(lines, "\n")
}

func yamlLaughs(n int) string {
	lines := []string{"a0: &a0 [ha, ha]"}
	for i := range n {
		lines = append(lines, fmt.Sprintf("a%d: &a%d [*a%d, *a%d]", i+1, i+1, i, i))
	}
	return strings.Join(lines, "\n")
}

// Hostile profiles are refused with a diagnostic, within bounds of memory; that
// they are within bounds of time, the loader sees to by itself.
func TestHostileProfiles(t *testing.T) {
	for name, p := range hostile {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, p.file), []byte(p.text), 0o644); err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			found, err := (&load.Config{Dir: dir}).Load(p.file)
			runtime.ReadMemStats(&after)
			list, ok := diag.From(err)
			if !ok || len(list) == 0 {
				t.Fatalf("got %d profiles and error %v, want diagnostics", len(found), err)
			}
			if p.code != "" && list[0].Code != p.code {
				t.Errorf("got %s, want %s", list[0].Error(), p.code)
			}
			if strings.Contains(list[0].Message, "to evaluate") {
				t.Errorf("it was only stopped: %s", list[0].Error())
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 400<<20 {
				t.Errorf("it took %d MiB", used>>20)
			}
		})
	}
}

// Nothing outside of the project is read, by whatever way.
func TestNothingOutsideIsRead(t *testing.T) {
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret.cue"), []byte("package p\n\ndescription: \"secret\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, link := range map[string]string{
		"a file of the package": "other.cue",
		"an embedded file":      "file.txt",
		"a folder above":        "cue.mod/module.cue",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			text := "@extern(embed)\n\n" + head + "\tmounts: \"/f\": file: _ @embed(file=\"file.txt\",type=text)\n}\n"
			if link == "other.cue" {
				text = head + "}\n"
			}
			if err := os.WriteFile(filepath.Join(dir, "p.cue"), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			at := filepath.Join(dir, link)
			if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(filepath.Join(outside, "secret.cue"), at); err != nil {
				t.Fatal(err)
			}
			found, err := (&load.Config{Dir: dir}).Load("p.cue")
			if err == nil {
				t.Fatalf("loaded %+v", found[0])
			}
			if _, ok := diag.From(err); !ok {
				t.Errorf("got %v, want diagnostics", err)
			}
			if strings.Contains(err.Error(), "secret") && !strings.Contains(err.Error(), "escapes") {
				t.Errorf("the error tells of the file: %v", err)
			}
		})
	}
}

// Numbers below zero, and ranges that go down to them, are as light as others.
func TestNumbersBelowZeroAreLight(t *testing.T) {
	for _, text := range []string{"[for i in list.Range(3, -3, -1) {i * -1}]", "list.Range(-2, 2, 1)"} {
		if _, err := (&load.Config{Stdin: strings.NewReader("package p\n\nimport \"list\"\n\na: " + text)}).Load("-"); err == nil || strings.Contains(err.Error(), "become more than") {
			t.Errorf("%s: %v", text, err) // it is no profile, and that is all that is wrong
		}
	}
}
