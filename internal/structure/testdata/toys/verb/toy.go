package service

import (
	"fmt"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/runtime"
)

// Toy says which kinds there are.
type Toy struct{}

func (Toy) Run(a *verb.App) error {
	_, err := fmt.Fprintln(a.Stdout, runtime.Kinds())
	return err
}
