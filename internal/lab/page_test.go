package lab

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/hosts.md")

// docs/hosts.md has a row for each step of each scenario as it is now, so that
// what was not run since it has changed does not stand there as if it had.
func TestPageIsOfTheseScenarios(t *testing.T) {
	const root = "../.."
	if *update {
		if err := writePage(root); err != nil {
			t.Fatal(err)
		}
	}
	want, err := page(root)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(root, pageFile))
	if err != nil || string(got) != want {
		t.Errorf("%s is not what the scenarios and their last results say (%v): go test ./internal/lab -update", pageFile, err)
	}
}

func TestPage(t *testing.T) {
	s := &Scenario{Name: "x", About: "What it shows.", Hosts: []string{"bookworm", "trixie"}, Steps: []Step{
		{Name: "works", Script: "true"}, {Name: "fails | much", Script: "false"}, {Name: "reboot 1", Boot: true}, {Name: "new", Script: "true"},
	}}
	folder := t.TempDir()
	r := &Result{Host: "bookworm", Scenario: "x", Date: "2026-01-02", Commit: "abc", Image: "2026-01-01", About: "Debian", Emulated: true}
	for i, outcome := range []string{OK, OK, Failed, NotRun} {
		step := s.all()[i]
		r.Steps = append(r.Steps, StepResult{Name: step.Name, Digest: step.digest(), Outcome: outcome, Seconds: 1.6, Output: "a line\nwhy\n"})
	}
	if err := r.Keep(folder); err != nil {
		t.Fatal(err)
	}
	s.Steps[0].Script = "true # changed"
	got, err := Page([]*Scenario{s}, folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| run | 2026-01-02 of abc, emulated; image of 2026-01-01 | never |",
		"| boot | ok, 2 s | **not run** |",
		"| works | **changed since** | **not run** |",
		"| fails \\| much | **failed**, 2 s | **not run** |",
		"| reboot 1 | **not run** | **not run** |",
		"| new | **not run** | **not run** |",
		"bookworm, fails | much, failed:\n```console\na line\nwhy\n```",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("there is no %q in\n%s", want, got)
		}
	}
}
