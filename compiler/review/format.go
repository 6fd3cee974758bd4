package review

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/internal/plain"
)

// summary is the first line about a profile.
func (r *Report) summary() string {
	switch {
	case r.New:
		return r.Profile + ": new"
	case r.Gone:
		return r.Profile + ": gone"
	case r.Verdict == Equivalent && r.Text:
		return r.Profile + ": equivalent (the text changed, its meaning did not)"
	}
	return r.Profile + ": " + string(r.Verdict)
}

// byDimension groups the changes.
func (r *Report) byDimension() (out [][]Change) {
	for _, d := range order {
		group := slices.DeleteFunc(slices.Clone(r.Changes), func(c Change) bool { return c.Dimension != d })
		if len(group) > 0 {
			out = append(out, group)
		}
	}
	return out
}

// Text writes the reports for a person at a terminal.
func Text(w io.Writer, reports []*Report) error {
	var b strings.Builder
	for i, r := range reports {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintln(&b, plain.Line(r.summary()))
		for _, group := range r.byDimension() {
			fmt.Fprintf(&b, "  %s: %s\n", group[0].Dimension, verdict(group))
			for _, c := range group {
				fmt.Fprintf(&b, "    %s %s\n", c.sign(), plain.Line(c.What))
				if c.Witness != "" && c.Witness != c.What {
					fmt.Fprintf(&b, "      for example %s\n", plain.Line(c.Witness))
				}
				fmt.Fprintf(&b, "      %s\n", plain.Line(c.where()))
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (c Change) sign() string {
	if c.Added {
		return "+"
	}
	return "-"
}

func (c Change) where() string {
	text := c.Pos.String()
	if c.Path != "" {
		text += " " + c.Path
	}
	if !c.Added {
		text += " (before)"
	}
	if c.Allowed {
		text += ", allowed"
	}
	return text
}

// Markdown writes the reports as a comment on a change request.
func Markdown(w io.Writer, reports []*Report) error {
	var b strings.Builder
	b.WriteString("## sbx review\n")
	if len(reports) == 0 {
		b.WriteString("\nNo profile changed.\n")
	}
	for _, r := range reports {
		fmt.Fprintf(&b, "\n### %s\n", escapeMarkdown(r.summary()))
		if len(r.Changes) == 0 {
			continue
		}
		b.WriteString("\n| | dimension | what | for example | line |\n|---|---|---|---|---|\n")
		for _, c := range r.Changes {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", c.sign(), c.Dimension, code(c.What), code(c.Witness), code(c.where()))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// code writes text from a profile so that it can be nothing but text in a
// table's cell.
func code(s string) string {
	if s == "" {
		return ""
	}
	return "<code>" + escapeMarkdown(s) + "</code>"
}

func escapeMarkdown(s string) string {
	s = plain.Line(strings.NewReplacer("\n", " ", "\r", " ").Replace(s))
	s = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
	return strings.NewReplacer("|", "&#124;", "`", "&#96;", "*", "&#42;", "_", "&#95;", "[", "&#91;", "\\", "&#92;", "@", "&#64;").Replace(s)
}

// JSON writes the reports as one array.
func JSON(w io.Writer, reports []*Report) error {
	if reports == nil {
		reports = []*Report{}
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(reports)
}
