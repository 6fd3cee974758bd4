package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
)

// manCmd writes manual pages.
type manCmd struct {
	Verb   string `arg:"" optional:"" help:"The verb whose page is printed; sbx's own page without."`
	Output string `short:"o" placeholder:"DIR" help:"Write all pages into a folder instead: sbx.1, sbx-vet.1, …"`
}

func (manCmd) Help() string {
	return `Prints sbx's manual pages, made from the command line itself.

Examples:
  sbx man vet | man -l -
  sbx man -o /usr/local/share/man/man1`
}

func (c *manCmd) Run(a *verb.App, model *kong.Kong) error {
	pages := manPages(model.Model)
	if c.Output != "" {
		if err := os.MkdirAll(c.Output, 0o755); err != nil {
			return err
		}
		for _, p := range pages {
			if err := os.WriteFile(filepath.Join(c.Output, p.name+".1"), []byte(p.text), 0o644); err != nil {
				return err
			}
		}
		return nil
	}
	want := "sbx"
	if c.Verb != "" {
		want += "-" + c.Verb
	}
	for _, p := range pages {
		if p.name == want {
			_, err := io.WriteString(a.Stdout, p.text)
			return err
		}
	}
	return fmt.Errorf("there is no verb %q", c.Verb)
}

type manPage struct{ name, text string }

// manPages are the page of sbx and one for each verb, in man(7)'s language.
func manPages(app *kong.Application) []manPage {
	top := manPage{name: "sbx"}
	var b strings.Builder
	manHead(&b, "sbx", app.Help)
	b.WriteString(".SH SYNOPSIS\n.B sbx\n.I verb\n[flag \\&...] [argument \\&...]\n.SH VERBS\n")
	pages := []manPage{top}
	for _, verb := range verbs(app) {
		fmt.Fprintf(&b, ".TP\n.BR sbx-%s (1)\n%s\n", verb.Name, roff(verb.Help))
		pages = append(pages, verbPage(verb))
	}
	b.WriteString(".SH EXIT STATUS\n.TP\n0\nEverything is as it should be.\n.TP\n1\nSomething is wrong.\n.TP\n2\nThere is something to see: a drift, a review that widens, a difference of fmt, a plan where that is asked for.\n")
	pages[0].text = b.String()
	return pages
}

// verbs are the verbs that are meant for people.
func verbs(app *kong.Application) (list []*kong.Node) {
	for _, n := range app.Children {
		if n.Type == kong.CommandNode && !n.Hidden {
			list = append(list, n)
		}
	}
	return list
}

func verbPage(verb *kong.Node) manPage {
	var b strings.Builder
	name := "sbx-" + verb.Name
	manHead(&b, name, verb.Help)
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B sbx %s\n[flag \\&...]", verb.Name)
	for _, p := range verb.Positional {
		fmt.Fprintf(&b, " %s", roff(p.Summary()))
	}
	b.WriteByte('\n')
	if verb.Detail != "" {
		fmt.Fprintf(&b, ".SH DESCRIPTION\n.nf\n%s\n.fi\n", roff(verb.Detail))
	}
	if len(verb.Positional) > 0 {
		b.WriteString(".SH ARGUMENTS\n")
	}
	for _, p := range verb.Positional {
		fmt.Fprintf(&b, ".TP\n.I %s\n%s\n", roff(p.Name), roff(p.Help))
	}
	b.WriteString(".SH FLAGS\n.TP\n.B \\-h, \\-\\-help\nShow the verb's help.\n")
	for _, f := range verb.Flags {
		if !f.Hidden {
			fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(f.String()), roff(f.Help))
		}
	}
	b.WriteString(".SH SEE ALSO\n.BR sbx (1)\n")
	return manPage{name, b.String()}
}

func manHead(b *strings.Builder, name, help string) {
	fmt.Fprintf(b, ".TH %s 1 \"\" \"sbx %s\"\n.SH NAME\n%s \\- %s\n", strings.ToUpper(name), roff(verb.Version()), name, roff(strings.TrimSuffix(help, ".")))
}

// roff escapes a text: backslashes and hyphens, and dots and quotes that begin a
// line, which would be requests (groff_man(7)).
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}
