package main

import (
	"runtime/debug"
)

type versionCmd struct{}

func (versionCmd) Help() string {
	return `Prints the version that sbx was built from: that of its tag in git, with the number
of commits since and the last one. A build by hand has none and says "devel".

Example:
  sbx version`
}

func (versionCmd) Run(a *app) error {
	_, err := sayln(a.stdout, "sbx", version())
	return err
}

// release is what scripts/version says, where make has built sbx.
var release string

// version is what sbx was built from: the release that make has linked into it, or
// the module's version, which go install knows; by hand from a checkout, "devel".
func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}
