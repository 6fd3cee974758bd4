package main

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
