package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema/diag"
)

// The exit codes of every verb; `sbx run` and `sbx exec` document their own.
const (
	exitOK      = 0
	exitError   = 1
	exitChanges = 2 // drift, review, fmt --diff, plan --exit-code: there is something to see
)

// The exit codes of run and exec besides the command's own, as env(1) and
// timeout(1) have them.
const (
	exitTimeout       = 124
	exitSbx           = 125
	exitNotExecutable = 126
	exitNotFound      = 127
)

// exitCode is an error that carries nothing but the code to end with.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// withCode is err, with the code that sbx ends with for it.
func withCode(code int, err error) error { return &codedError{code, err} }

// codedError is an error that ends sbx with another code than 1.
type codedError struct {
	code int
	err  error
}

func (e *codedError) Error() string { return e.err.Error() }
func (e *codedError) Unwrap() error { return e.err }

// report prints err for a person and gives the exit code that it stands for.
func report(stderr io.Writer, err error) int {
	var code exitCode
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &code):
		return int(code)
	}
	status := exitError
	var coded *codedError
	if errors.As(err, &coded) {
		status = coded.code
	}
	if list, ok := diag.From(err); ok {
		diag.Text(stderr, here(list), diag.Style{Color: colorful(stderr)})
		return status
	}
	if code := fault.Code(err); code != "" {
		sayf(stderr, "sbx: error[%s]: %v\n", code, err)
	} else {
		sayf(stderr, "sbx: %v\n", err)
	}
	return status
}

// here names the files of a list as seen from the current folder.
func here(list diag.List) diag.List {
	dir, err := os.Getwd()
	if err != nil {
		return list
	}
	return list.Relative(dir)
}
