package lab

import (
	"strings"
	"time"
)

// What a step may have come to.
const (
	OK      = "ok"
	Failed  = "failed"
	TooLong = "too long" // its bound has ended it
	NotRun  = "not run"  // the machine was gone
)

// Result is what a scenario has come to on a host.
type Result struct {
	Host     string
	Scenario string
	Image    time.Time // when the host's image was made
	Steps    []StepResult
}

// StepResult is what a step has come to.
type StepResult struct {
	Name    string
	Outcome string
	Took    time.Duration
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

// Said is the last line that the step has printed.
func (s StepResult) Said() string {
	lines := strings.Split(strings.TrimSpace(s.Output), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
