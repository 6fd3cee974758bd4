package main

import "github.com/sbx-dev/sbx/internal/tether"

// tetherCmd ends a machine with its sbx. Only run starts it.
type tetherCmd struct{}

func (tetherCmd) Run(*app) error { return tether.Main() }
