package main

import (
	"fmt"
	"io"

	"github.com/alecthomas/kong"
)

// printHelp shows the verbs by topic, or the help of the verb that is asked for.
func printHelp(options kong.HelpOptions, c *kong.Context) error {
	if c.Selected() != nil {
		return kong.DefaultHelpPrinter(options, c)
	}
	return printVerbs(c.Stdout, c.Model)
}

func printVerbs(w io.Writer, app *kong.Application) error {
	list := verbs(app)
	widest := 0
	for _, verb := range list {
		widest = max(widest, len(verb.Name))
	}
	fmt.Fprintf(w, "Usage: sbx VERB [ARGUMENT …] [FLAG …]\n\n%s\n", app.Help)
	topic := ""
	for _, verb := range list {
		if t := verb.Tag.Get("topic"); t != topic {
			topic = t
			fmt.Fprintf(w, "\n%s\n", topic)
		}
		fmt.Fprintf(w, "  %-*s  %s\n", widest, verb.Name, verb.Help)
	}
	_, err := fmt.Fprint(w, `
Run "sbx VERB --help" for a verb's flags, with examples. To begin:

  sbx doctor           what works on this host
  sbx run -- ls /      a command behind walls
  sbx up apache        a service, until "sbx down apache"
`)
	return err
}
