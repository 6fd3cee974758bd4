// Package diag is how sbx speaks of what a person wrote: a place in a file, what
// is wrong there, and what to do.
package diag

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Pos is a place in a source file. Line and Column count from 1; the zero Pos
// is no place at all.
type Pos struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	End    int    `json:"end,omitempty"` // the column after the last character; 0 where that is on another line or not known

	// Dir is the folder that File is relative to, where it is known: the
	// project's root. It differs between machines and is never written out.
	Dir string `json:"-"`
}

// String writes file:line:col, as far as it is known.
func (p Pos) String() string {
	switch {
	case p.File == "":
		return "-"
	case p.Line == 0:
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Severity tells a mistake from a remark.
type Severity string

// The severities.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Diagnostic is one thing that is wrong with what a person wrote.
type Diagnostic struct {
	Pos      Pos      `json:"pos"`
	Severity Severity `json:"severity"`
	Code     string   `json:"code"`           // SBX and four digits; `sbx help CODE` explains it
	Path     string   `json:"path,omitempty"` // where in the profile, as CUE writes it
	Message  string   `json:"message"`
	Help     string   `json:"help,omitempty"`
	Notes    []Note   `json:"notes,omitempty"`
}

// Note points at another place that has to do with a diagnostic.
type Note struct {
	Pos     Pos    `json:"pos"`
	Message string `json:"message"`
}

// Error writes the diagnostic on one line.
func (d *Diagnostic) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s[%s]: ", d.Pos, d.Severity, d.Code)
	if d.Path != "" {
		fmt.Fprintf(&b, "%s: ", d.Path)
	}
	b.WriteString(d.Message)
	return b.String()
}

// List is several diagnostics that are reported as one error.
type List []*Diagnostic

// Error writes a line a diagnostic.
func (l List) Error() string {
	lines := make([]string, len(l))
	for i, d := range l {
		lines[i] = d.Error()
	}
	return strings.Join(lines, "\n")
}

// Err is l as an error: nil when nothing in it is one.
func (l List) Err() error {
	for _, d := range l {
		if d.Severity == Error {
			return l
		}
	}
	return nil
}

// From collects the diagnostics that err is or holds.
func From(err error) (List, bool) {
	var list List
	if errors.As(err, &list) {
		return list, true
	}
	var one *Diagnostic
	if errors.As(err, &one) {
		return List{one}, true
	}
	return nil, false
}

// Sorted is the list in the order of the files, and of the places in them. What has been
// found twice, as in a file that several profiles read, is there once.
func (l List) Sorted() List {
	l = slices.Clone(l)
	slices.SortStableFunc(l, func(a, b *Diagnostic) int {
		return cmp.Or(
			strings.Compare(a.Pos.File, b.Pos.File),
			cmp.Compare(a.Pos.Line, b.Pos.Line),
			cmp.Compare(a.Pos.Column, b.Pos.Column),
			strings.Compare(a.Path, b.Path),
			strings.Compare(a.Code, b.Code),
		)
	})
	return slices.CompactFunc(l, func(a, b *Diagnostic) bool {
		return a.Pos == b.Pos && a.Path == b.Path && a.Code == b.Code && a.Message == b.Message
	})
}
