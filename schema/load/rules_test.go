package load_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
	"github.com/sbx-dev/sbx/schema/load"
)

// ruleTexts are rules, all of them different, as CUE.
func ruleTexts(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(`{in: tcp: [%d, "%[1]d-%d"], from: ["10.%d.%d.0/24", "db"], connections: %[1]d}`, i+1, i+100, i/250, i%250)
	}
	return list
}

// firstRule is the line on which the first of a profile's rules stands.
const firstRule = 13

// withRules is a profile with those rules, one a line.
func withRules(rules []string) string {
	return head + "\tnetwork: {\n\t\tattach: \"default\"\n\t\taddress: \"10.0.0.80/24\"\n\t\tallow: [\n" + strings.Join(rules, ",\n") + ",\n]\n}}\n"
}

func loadText(t *testing.T, text string) ([]*schema.Profile, error) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "p.cue"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return (&load.Config{Dir: dir}).Load("p.cue")
}

// As many rules as #Network takes are read like a few.
func TestManyRules(t *testing.T) {
	found, err := loadText(t, withRules(ruleTexts(5000)))
	if err != nil {
		t.Fatal(err)
	}
	n := found[0].Network
	if len(n.Allow) != 5000 || n.Allow[4320].In.TCP[0].From != 4321 || n.Allow[4320].From[0] != "10.17.70.0/24" {
		t.Errorf("%d rules, the 4321st is %+v", len(n.Allow), n.Allow[4320])
	}
	if line := found[0].Source.Pos("network.allow[4320]").Line; line != firstRule+4320 {
		t.Errorf("the 4321st rule stands on line %d, want %d", line, firstRule+4320)
	}
}

// So are those that a comprehension makes.
func TestManyMadeRules(t *testing.T) {
	text := strings.Replace(withRules([]string{`for i in list.Range(0, 5000, 1) {in: tcp: [i + 1], from: "10.\(div(i, 250)).\(mod(i, 250)).0/24"}`}),
		`import "github`, "import \"list\"\nimport \"github", 1)
	found, err := loadText(t, text)
	if err != nil {
		t.Fatal(err)
	}
	n := found[0].Network
	if len(n.Allow) != 5000 || n.Allow[4320].In.TCP[0].From != 4321 || n.Allow[4320].From[0] != "10.17.70.0/24" {
		t.Errorf("%d rules, the 4321st is %+v", len(n.Allow), n.Allow[4320])
	}
}

// A mistake among many rules is found and explained like one among a few.
func TestMistakeAmongManyRules(t *testing.T) {
	for rule, want := range map[string]struct{ path, code string }{
		`{in: tcp: [65536]}`:                    {".in.tcp[0]", "SBX0023"},
		`{in: tpc: [80]}`:                       {".in.tpc", diag.Unknown},
		`{in: tcp: [80], log: true}`:            {".log", diag.Unknown},
		`{in: tcp: [80], out: tcp: [80]}`:       {"", diag.ExactlyOne},
		`{from: "10.0.0.1"}`:                    {"", diag.ExactlyOne},
		`{in: tcp: [80], from: "10.0.0.256"}`:   {".from", "SBX0032"},
		`{in: tcp: [80], from: "10.0.0.1/8"}`:   {".from", diag.Peer},
		`{in: tcp: 80}`:                         {".in.tcp", diag.WrongType},
		`{in: tcp: [80], connections: 0}`:       {".connections", diag.BadNumber},
		`{in: icmp: "ping"}`:                    {".in.icmp", diag.NotAllowed},
		`{in: tcp: [80] & [81]}`:                {".in.tcp[0]", diag.Conflict},
		`{in: tcp: [int]}`:                      {".in.tcp[0]", diag.Incomplete},
		`{in: tcp: [nowhere]}`:                  {"", diag.Reference},
		`{in: tcp: [80] from: "10.0.0.1"}`:      {"", diag.Syntax},
		`{out: tcp: [80], from: "192.168.0.0"}`: {".from", diag.RuleFields},
	} {
		t.Run(rule, func(t *testing.T) {
			rules := ruleTexts(5000)
			rules[4320] = rule
			_, err := loadText(t, withRules(rules))
			list, ok := diag.From(err)
			if !ok || len(list) != 1 {
				t.Fatalf("got %v, want one diagnostic", err)
			}
			d := list[0]
			if d.Pos.Line != firstRule+4320 || d.Code != want.code || want.path != "" && d.Path != "network.allow[4320]"+want.path {
				t.Errorf("got %s, want %s at line %d and %s", d.Error(), want.code, firstRule+4320, want.path)
			}
		})
	}
}

// Among so many that CUE does not evaluate them, the schema decides no
// alternatives.
func TestAlternativesAmongRules(t *testing.T) {
	for n, want := range map[int]bool{32: true, 33: false} {
		rules := ruleTexts(n)
		rules[5] = `{in: tcp: [*"http" | 80]}`
		_, err := loadText(t, withRules(rules))
		list, _ := diag.From(err)
		if want && err != nil || !want && (len(list) != 1 || list[0].Path != "network.allow[5].in.tcp[0]") {
			t.Errorf("%d rules: %v", n, err)
		}
	}
}

// More rules than that are refused, and of very many mistakes some are shown.
func TestTooManyRules(t *testing.T) {
	_, err := loadText(t, withRules(ruleTexts(5001)))
	if list, _ := diag.From(err); len(list) != 1 || list[0].Code != diag.TooMany || !strings.Contains(list[0].Message, "at most 5000") {
		t.Errorf("5001 rules: %v", err)
	}
	_, err = loadText(t, withRules(slices.Repeat([]string{`{in: tcp: [0]}`}, 1000)))
	list, _ := diag.From(err)
	if len(list) != 33 {
		t.Fatalf("1000 wrong rules: %d diagnostics, want 33", len(list))
	}
	if !slices.ContainsFunc(list, func(d *diag.Diagnostic) bool { return strings.Contains(d.Message, "968 more rules are wrong") }) {
		t.Errorf("1000 wrong rules: nothing says how many more there are: %v", list[32])
	}
}
