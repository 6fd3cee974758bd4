// Package verb holds what sbx's verbs share: what they work with, their common flags,
// how they find profiles and a libvirt, and what they end with.
package verb

import (
	"context"
	"io"
)

// App is what a verb works with besides its own flags.
type App struct {
	Ctx    context.Context
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer

	Command []string // what stands after "--", for the verbs that run commands
}

// CommandLine is the command that was given: what stands after "--", or words
// that follow the verb's own.
func (a *App) CommandLine(words []string) []string {
	switch {
	case len(words) == 0:
		return a.Command
	case a.Command == nil:
		return words
	}
	return append(append(words, "--"), a.Command...) // the command's own "--"
}
