// Package fault gives errors of a host codes, as schema/diag gives them to
// mistakes in a profile. A code never changes its meaning; diag.Explain says what
// each means and what to do.
package fault

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/sbx-dev/sbx/schema/diag"
)

// Coded is an error with a code.
type Coded interface {
	error
	Code() string // one of schema/diag's
}

type coded struct {
	error
	code string
}

func (c *coded) Code() string  { return c.code }
func (c *coded) Unwrap() error { return errors.Unwrap(c.error) }

// New is fmt.Errorf with a code.
func New(code, format string, args ...any) error {
	return &coded{fmt.Errorf(format, args...), code}
}

// Because gives an error a code where it is not nil and has none: the innermost
// one says most exactly what is wrong.
func Because(code string, err error) error {
	if err == nil || Code(err) != "" {
		return err
	}
	return &coded{fmt.Errorf("%w", err), code}
}

// Code is the code of an error, or "". That of a full disk is known by the
// kernel's word for it, which any step may meet.
func Code(err error) string {
	var c Coded
	switch {
	case errors.As(err, &c):
		return c.Code()
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return diag.DiskFull
	}
	return ""
}
