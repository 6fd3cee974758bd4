package main

import (
	"context"
	"io"
)

// app is what a verb works with besides its own flags.
type app struct {
	ctx    context.Context
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer

	command []string // what stands after "--", for the verbs that run commands
}

// commandLine is the command that was given: what stands after "--", or words
// that follow the verb's own.
func (a *app) commandLine(words []string) []string {
	switch {
	case len(words) == 0:
		return a.command
	case a.command == nil:
		return words
	}
	return append(append(words, "--"), a.command...) // the command's own "--"
}
