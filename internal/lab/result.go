package lab

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
)

// What a step may have come to.
const (
	OK      = "ok"
	Failed  = "failed"
	TooLong = "too long" // its bound has ended it
	NotRun  = "not run"  // the machine was off
)

// Result is what a scenario has come to on a host.
type Result struct {
	Host     string
	Scenario string
	Date     string // of the run, as 2006-01-02
	Commit   string // of what was tested
	Image    string // the day when the host's image was made
	About    string // the host's own words: its release and versions
	Emulated bool   // without KVM
	Attempt  int    // 2 where the kernel of the first machine has panicked
	Steps    []StepResult
}

// StepResult is what a step has come to.
type StepResult struct {
	Name    string
	Digest  string // of its script
	Outcome string
	Seconds float64
	Output  string
}

// Good reports whether every step was run and worked.
func (r *Result) Good() bool {
	for _, s := range r.Steps {
		if s.Outcome != OK {
			return false
		}
	}
	return len(r.Steps) > 0
}

// said is the last lines that the step has printed.
func (s StepResult) said(lines int) string {
	all := strings.Split(strings.TrimSpace(s.Output), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// Keep writes r into folder, in a file of its own.
func (r *Result) Keep(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, r.Host+"-"+r.Scenario+".json"), append(text, '\n'), 0o644)
}

// Kept reads what Keep has written of a scenario on a host; nil where it never ran.
func Kept(folder, host, scenario string) (*Result, error) {
	text, err := os.ReadFile(filepath.Join(folder, host+"-"+scenario+".json"))
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r := new(Result)
	return r, json.Unmarshal(text, r)
}

// brief is r with no more of the outputs than the page shows.
func (r *Result) brief() *Result {
	short := *r
	short.Steps = nil
	for _, s := range r.Steps {
		s.Output = s.said(12)
		short.Steps = append(short.Steps, s)
	}
	return &short
}

// Record notes a result in the repository whose root is the working folder, and
// writes docs/hosts.md by it.
func Record(r *Result) error {
	if err := r.brief().Keep(resultsFolder); err != nil {
		return err
	}
	return writePage(".")
}
