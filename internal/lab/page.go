package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// pageHead begins the page of results.
const pageHead = `# sbx on real Debian hosts

` + "`make test-hosts`" + ` boots fresh Debian 12 and 13 machines, each with its own systemd, libvirtd and security modules, installs sbx in them as a user would, and runs the scenarios of [internal/lab/scenarios](../internal/lab/scenarios): shell that a person could type, in named steps. It needs root, and mmdebstrap and QEMU, which it installs. Images are made from packages of the mirror that this machine's apt uses, and kept in ` + "`$SBX_LAB_CACHE`" + ` (else below the user's cache folder).

This page is written by the run, from what it has recorded in internal/lab/results. Every step of every scenario has a row: one that has changed since its last run says so, and one that never ran, too. Times are from outside; where processors are emulated, everything takes some ten times longer than on hardware.
`

// Page is docs/hosts.md: what the scenarios have come to on their hosts, by the
// results kept in folder.
func Page(scenarios []*Scenario, folder string) (string, error) {
	var page strings.Builder
	page.WriteString(pageHead)
	for _, s := range scenarios {
		var results []*Result
		for _, host := range s.Hosts {
			r, err := Kept(folder, host, s.Name)
			if err != nil {
				return "", err
			}
			if r == nil {
				r = &Result{Host: host, Scenario: s.Name}
			}
			results = append(results, r)
		}
		writeScenario(&page, s, results)
	}
	return page.String(), nil
}

func writeScenario(page *strings.Builder, s *Scenario, results []*Result) {
	fmt.Fprintf(page, "\n## %s\n%s\n\n", s.Name, s.About)
	row(page, "", results, func(r *Result) string { return r.Host })
	fmt.Fprintf(page, "|---%s|\n", strings.Repeat("|---", len(results)))
	row(page, "run", results, (*Result).when)
	row(page, "host", results, func(r *Result) string { return r.About })
	for _, step := range s.all() {
		row(page, step.Name, results, func(r *Result) string { return r.of(step).cell() })
	}
	for _, r := range results {
		for _, step := range s.all() {
			if got := r.of(step); got.Outcome == Failed || got.Outcome == TooLong {
				fmt.Fprintf(page, "\n%s, %s, %s:\n```console\n%s\n```\n", r.Host, step.Name, got.Outcome, got.said(12))
			}
		}
	}
}

// row writes a row of a table, with a cell for each result.
func row(page *strings.Builder, name string, results []*Result, cell func(*Result) string) {
	fmt.Fprintf(page, "| %s |", escape(name))
	for _, r := range results {
		fmt.Fprintf(page, " %s |", escape(cell(r)))
	}
	page.WriteString("\n")
}

// escape keeps a text from ending a cell.
func escape(text string) string {
	return strings.NewReplacer("|", "\\|", "\n", " ").Replace(text)
}

// when says of which day and commit a result is.
func (r *Result) when() string {
	if r.Date == "" {
		return "never"
	}
	how := "with KVM"
	if r.Emulated {
		how = "emulated"
	}
	if r.Attempt > 1 {
		how += fmt.Sprintf(", attempt %d, after kernel panics", r.Attempt)
	}
	return fmt.Sprintf("%s of %s, %s; image of %s", r.Date, r.Commit, how, r.Image)
}

// of is what step has come to; not run where r knows nothing of it as it is now.
func (r *Result) of(step Step) StepResult {
	for _, s := range r.Steps {
		if s.Name != step.Name {
			continue
		}
		if !step.was(s.Digest) {
			return StepResult{Outcome: "changed since"}
		}
		return s
	}
	return StepResult{Outcome: NotRun}
}

func (s StepResult) cell() string {
	switch s.Outcome {
	case OK:
		return fmt.Sprintf("ok, %.0f s", s.Seconds)
	case Failed, TooLong:
		return fmt.Sprintf("**%s**, %.0f s", s.Outcome, s.Seconds)
	}
	return "**" + s.Outcome + "**"
}

// Below the repository's root.
const (
	scenariosFolder = "internal/lab/scenarios"
	resultsFolder   = "internal/lab/results"
	pageFile        = "docs/hosts.md"
)

// page is docs/hosts.md as it should be in the repository at root.
func page(root string) (string, error) {
	files, err := filepath.Glob(filepath.Join(root, scenariosFolder, "*.sh"))
	if err != nil {
		return "", err
	}
	var scenarios []*Scenario
	for _, file := range files {
		s, err := Load(file)
		if err != nil {
			return "", err
		}
		scenarios = append(scenarios, s)
	}
	return Page(scenarios, filepath.Join(root, resultsFolder))
}

func writePage(root string) error {
	text, err := page(root)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(root, pageFile), []byte(text), 0o644)
}
