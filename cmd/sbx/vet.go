package main

import "fmt"

// vetCmd checks profiles.
type vetCmd struct {
	profileFlags
	Paths []string `arg:"" optional:"" name:"path" help:"Profiles: files, folders, DIR/... for all below a folder, names, or - for standard input." default:"."`
}

func (c *vetCmd) Run(a *app) error {
	found, err := c.load(a, c.Paths...)
	for _, p := range found {
		fmt.Fprintf(a.stderr, "ok %s\n", p.Name)
	}
	return err
}
