package service

import (
	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/runtime"
)

// Tether ends a machine with its sbx. Only run starts it.
type Tether struct{}

func (Tether) Run(*verb.App) error { return runtime.Tether() }
