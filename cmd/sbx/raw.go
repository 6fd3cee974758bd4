package main

import (
	"io"

	"github.com/sbx-dev/sbx/internal/plain"
)

// rawFlag is for the verbs that show what a service wrote.
type rawFlag struct {
	Raw bool `help:"Show what the service wrote as it is, also on a terminal, which it may give orders."`
}

// writers are where what a service wrote is shown.
func (f rawFlag) writers(a *app) (stdout, stderr io.Writer) {
	return f.writer(a.stdout), f.writer(a.stderr)
}

func (f rawFlag) writer(w io.Writer) io.Writer {
	if f.Raw || !isTerminal(w) {
		return w
	}
	return &plain.Writer{W: w}
}
