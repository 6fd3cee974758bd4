package main

import (
	"fmt"
	"runtime/debug"
)

type versionCmd struct{}

func (versionCmd) Help() string {
	return `Prints the version that sbx was built from; a build from a checkout has none and
says "devel".

Example:
  sbx version`
}

func (versionCmd) Run(a *app) error {
	_, err := fmt.Fprintln(a.stdout, "sbx", version())
	return err
}

// version is the module version that the binary was built from; a build from a
// checkout has none and says "devel".
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}
