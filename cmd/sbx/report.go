package main

import (
	"errors"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema/diag"
)

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

// colorful reports whether w is a terminal whose user did not ask for plain text
// (https://no-color.org).
func colorful(w io.Writer) bool { return os.Getenv("NO_COLOR") == "" && isTerminal(w) }

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
