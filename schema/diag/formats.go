package diag

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/sbx-dev/sbx/internal/plain"
)

// JSON writes the list as one JSON array; an empty list is "[]".
func JSON(w io.Writer, l List) error {
	if l == nil {
		l = List{}
	}
	return encode(w, l)
}

// GitHub writes the list as GitHub Actions' workflow commands, which it shows
// beside the lines of a change
// (https://docs.github.com/actions/reference/workflow-commands-for-github-actions).
func GitHub(w io.Writer, l List) error {
	for _, d := range l {
		text := d.Message
		if d.Path != "" {
			text = d.Path + ": " + text
		}
		if d.Help != "" {
			text += "\nhelp: " + d.Help
		}
		_, err := fmt.Fprintf(w, "::%s file=%s,line=%d,col=%d,title=%s::%s\n", d.Severity,
			property(d.Pos.File), max(1, d.Pos.Line), max(1, d.Pos.Column), property(d.Code), data(text))
		if err != nil {
			return err
		}
	}
	return nil
}

// data escapes the text of a workflow command, in which nothing speaks to a terminal.
func data(s string) string {
	return strings.NewReplacer("%", "%25", "\n", "%0A").Replace(plain.Lines(s))
}

// property escapes a property of a workflow command.
func property(s string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(data(s))
}

// SARIF writes the list as a SARIF 2.1.0 log
// (https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html).
func SARIF(w io.Writer, l List, version string) error {
	run := sarifRun{Tool: sarifTool{Driver: sarifDriver{Name: "sbx", Version: version, Rules: []sarifRule{}}}, Results: []sarifResult{}}
	seen := make(map[string]bool)
	for _, d := range l {
		if !seen[d.Code] {
			seen[d.Code] = true
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{ID: d.Code, Short: sarifText{title(d.Code)}})
		}
		run.Results = append(run.Results, sarifOf(d))
	}
	return encode(w, sarifLog{
		Schema:  "https://json.schemastore.org/sarif-2.1.0.json",
		Version: "2.1.0",
		Runs:    []sarifRun{run},
	})
}

func title(code string) string {
	if c, ok := Explain(code); ok {
		return c.Title
	}
	return code
}

func sarifOf(d *Diagnostic) sarifResult {
	text := d.Message
	if d.Path != "" {
		text = d.Path + ": " + text
	}
	if d.Help != "" {
		text += "\n" + d.Help
	}
	r := sarifResult{RuleID: d.Code, Level: string(d.Severity), Message: sarifText{text}}
	if d.Pos.File != "" {
		r.Locations = []sarifLocation{sarifPlace(d.Pos, "")}
	}
	for _, n := range d.Notes {
		r.Related = append(r.Related, sarifPlace(n.Pos, n.Message))
	}
	return r
}

func sarifPlace(p Pos, message string) sarifLocation {
	l := sarifLocation{Physical: sarifPhysical{Artifact: sarifArtifact{URI: filepath.ToSlash(p.File)}}}
	if p.Line > 0 {
		l.Physical.Region = &sarifRegion{StartLine: p.Line, StartColumn: p.Column, EndColumn: p.End}
	}
	if message != "" {
		l.Message = &sarifText{message}
	}
	return l
}

type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool    sarifTool     `json:"tool"`
	Results []sarifResult `json:"results"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name    string      `json:"name"`
	Version string      `json:"version,omitempty"`
	Rules   []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID    string    `json:"id"`
	Short sarifText `json:"shortDescription"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifResult struct {
	RuleID    string          `json:"ruleId"`
	Level     string          `json:"level"`
	Message   sarifText       `json:"message"`
	Locations []sarifLocation `json:"locations,omitempty"`
	Related   []sarifLocation `json:"relatedLocations,omitempty"`
}

type sarifLocation struct {
	Physical sarifPhysical `json:"physicalLocation"`
	Message  *sarifText    `json:"message,omitempty"`
}

type sarifPhysical struct {
	Artifact sarifArtifact `json:"artifactLocation"`
	Region   *sarifRegion  `json:"region,omitempty"`
}

type sarifArtifact struct {
	URI string `json:"uri"`
}

type sarifRegion struct {
	StartLine   int `json:"startLine"`
	StartColumn int `json:"startColumn,omitempty"`
	EndColumn   int `json:"endColumn,omitempty"`
}

func encode(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
