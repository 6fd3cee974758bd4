package main

import (
	"github.com/sbx-dev/sbx/cmd/sbx/internal/say"
	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
)

type versionCmd struct{}

func (versionCmd) Help() string {
	return `Prints the version that sbx was built from: that of its tag in git, with the number
of commits since and the last one. A build by hand has none and says "devel".

Example:
  sbx version`
}

func (versionCmd) Run(a *verb.App) error {
	_, err := say.Fprintln(a.Stdout, "sbx", verb.Version())
	return err
}
