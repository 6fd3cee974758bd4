package main

import (
	"io"
	"os"

	"golang.org/x/term"
)

// colorful reports whether w is a terminal whose user did not ask for plain text
// (https://no-color.org).
func colorful(w io.Writer) bool { return os.Getenv("NO_COLOR") == "" && isTerminal(w) }

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
