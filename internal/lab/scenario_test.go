package lab

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// Every scenario that ships can be read.
func TestShippedScenarios(t *testing.T) {
	files, err := filepath.Glob("scenarios/*.sh")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		if _, err := Load(file); err != nil {
			t.Error(err)
		}
	}
}

func TestScenario(t *testing.T) {
	s, err := load(t, `# What it shows.
# hosts: bookworm trixie

#: one
echo 1 # a comment

#! reboot

# said of two
#: two
echo 2
`)
	if err != nil {
		t.Fatal(err)
	}
	want := []Step{
		{Name: "one", Script: "echo 1 # a comment\n\n"},
		{Name: "reboot 1", Boot: true},
		{Name: "two", Script: "echo 2\n"},
	}
	if !reflect.DeepEqual(s.Steps, want) || s.About != "What it shows." || !reflect.DeepEqual(s.Hosts, []string{"bookworm", "trixie"}) {
		t.Errorf("%+v", s)
	}
}

// A scenario that would leave something out is refused, with its line.
func TestScenarioMistakes(t *testing.T) {
	const head = "# What.\n# hosts: bookworm\n"
	for text, want := range map[string]string{
		"":                                      "says in its first line",
		head:                                    "steps",
		"# What.\n#: one\n":                     "# hosts:",
		"# What.\n# hosts: nowhere\n":           "x.sh:2: there is no host \"nowhere\"",
		head + "echo early\n":                   "x.sh:3: a command before",
		head + "#! power-cut\n":                 "x.sh:3: \"#! power-cut\" is nothing",
		head + "#! reboot\necho lost\n#: one\n": "x.sh:4: a command after a reboot",
		head + "#: one\n#: two\n#: one\n":       "x.sh:5: there are two steps \"one\"",
		head + "#: boot\n":                      "two steps \"boot\"",
	} {
		if _, err := load(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, not %q", text, err, want)
		}
	}
}

func load(t *testing.T, text string) (*Scenario, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "x.sh")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return Load(file)
}

// A step that has become its scenario's last one, or is no longer that, is as it was.
func TestAnEmptyLineIsNoChange(t *testing.T) {
	step := Step{Script: "true\n"}
	for script, want := range map[string]bool{"true\n": true, "true\n\n": true, "false\n": false, "true\n\n\n\n": false} {
		if got := step.was(Step{Script: script}.digest()); got != want {
			t.Errorf("%q: %v, want %v", script, got, want)
		}
	}
}
