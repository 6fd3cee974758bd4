package main

import (
	_ "embed"
	"fmt"
	"io"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
)

// completionCmd prints what makes a shell complete sbx's arguments.
type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

func (completionCmd) Help() string {
	return `Prints a script that makes a shell complete verbs, flags, the names of profiles
and those of the sandboxes that run.

Examples:
  source <(sbx completion bash)                          # this shell
  sbx completion bash >/etc/bash_completion.d/sbx        # every bash
  sbx completion zsh >/usr/local/share/zsh/site-functions/_sbx
  sbx completion fish >~/.config/fish/completions/sbx.fish`
}

//go:embed completion/sbx.bash
var bashCompletion string

//go:embed completion/sbx.zsh
var zshCompletion string

//go:embed completion/sbx.fish
var fishCompletion string

func (c *completionCmd) Run(a *verb.App) error {
	scripts := map[string]string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}
	script, ok := scripts[c.Shell]
	if !ok {
		return fmt.Errorf("no completion for %q: want bash, zsh or fish", c.Shell)
	}
	_, err := io.WriteString(a.Stdout, script)
	return err
}
