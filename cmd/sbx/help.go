package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/schema/diag"
)

// helpCmd explains a diagnostic, a field of profiles, or a verb.
type helpCmd struct {
	Topic []string `arg:"" optional:"" name:"topic" help:"A code such as SBX0012, \"codes\", a field of profiles such as network.allow, or a verb."`
}

func (helpCmd) Help() string {
	return `Explains a diagnostic's code or a field of profiles, lists all codes, or shows a
verb's help.

Examples:
  sbx help SBX0022
  sbx help codes
  sbx help network.allow
  sbx help compile`
}

func (c *helpCmd) Run(a *verb.App) error {
	if len(c.Topic) == 0 {
		return rerun(a, "--help")
	}
	topic := strings.ToUpper(c.Topic[0])
	if topic == "CODES" {
		for _, e := range diag.Explanations {
			if _, err := fmt.Fprintf(a.Stdout, "%s  %s\n", e.Code, e.Title); err != nil {
				return err
			}
		}
		return nil
	}
	if e, ok := diag.Explain(topic); ok {
		return printExplanation(a.Stdout, e)
	}
	if strings.HasPrefix(topic, "SBX") {
		return fmt.Errorf("there is no code %s; \"sbx help codes\" lists them", topic)
	}
	if field, below, err := findField(c.Topic[0]); err != nil || field != nil {
		if err != nil {
			return err
		}
		return printField(a.Stdout, field, below)
	}
	return rerun(a, append(c.Topic, "--help")...)
}

// rerun runs sbx with other arguments.
func rerun(a *verb.App, args ...string) error {
	if code := run(a.Ctx, a.Stdin, a.Stdout, a.Stderr, args); code != verb.ExitOK {
		return verb.ExitCode(code)
	}
	return nil
}

func printExplanation(w io.Writer, e diag.Explanation) error {
	fmt.Fprintf(w, "%s: %s\n\n%s\n", e.Code, e.Title, wrap(e.Text, 80))
	wrong, right := e.Labels()
	if e.Wrong != "" {
		fmt.Fprintf(w, "\n%s\n%s\n", wrong, indent(e.Wrong))
	}
	if e.Right != "" {
		fmt.Fprintf(w, "\n%s\n%s\n", right, indent(e.Right))
	}
	return nil
}

func indent(text string) string { return "    " + strings.ReplaceAll(text, "\n", "\n    ") }

// wrap breaks a text into lines of at most width characters.
func wrap(text string, width int) string {
	var b strings.Builder
	length := 0
	for word := range strings.FieldsSeq(text) {
		switch {
		case length == 0:
		case length+1+len(word) > width:
			b.WriteByte('\n')
			length = 0
		default:
			b.WriteByte(' ')
			length++
		}
		b.WriteString(word)
		length += len(word)
	}
	return b.String()
}
