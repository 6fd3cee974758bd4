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
func (c *coded) Unwrap() error { return c.error }

// New is fmt.Errorf with a code.
func New(code, format string, args ...any) error {
	return &coded{fmt.Errorf(format, args...), code}
}

// Because gives an error a code. It is nil where err is.
func Because(code string, err error) error {
	if err == nil {
		return nil
	}
	return &coded{err, code}
}

// Code is the code of an error, or "": the innermost one, which says most exactly
// what is wrong. That of a full disk is known by the kernel's word for it, which
// any step may meet.
func Code(err error) string {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return diag.DiskFull
	}
	code := ""
	for c := Coded(nil); errors.As(err, &c); err = errors.Unwrap(c) {
		code = c.Code()
	}
	return code
}
