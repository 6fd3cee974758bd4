package verb

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/say"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema/diag"
)

// The exit codes of every verb; `sbx run` and `sbx exec` document their own.
const (
	ExitOK      = 0
	ExitError   = 1
	ExitChanges = 2 // drift, review, fmt --diff, plan --exit-code: there is something to see
)

// The exit codes of run and exec besides the command's own, as env(1) and
// timeout(1) have them.
const (
	ExitTimeout       = 124
	ExitSbx           = 125
	ExitNotExecutable = 126
	ExitNotFound      = 127
)

// ExitCode is an error that carries nothing but the code to end with.
type ExitCode int

func (c ExitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// WithCode is err, with the code that sbx ends with for it.
func WithCode(code int, err error) error { return &codedError{code: code, err: err} }

// AtOnce is WithCode for an end that waits for nobody: where no one reads errors, only the
// code says it.
func AtOnce(code int, err error) error { return &codedError{code, err, true} }

// codedError is an error that ends sbx with another code than 1.
type codedError struct {
	code   int
	err    error
	atOnce bool
}

func (e *codedError) Error() string { return e.err.Error() }
func (e *codedError) Unwrap() error { return e.err }

// Report prints err for a person and gives the exit code that it stands for.
func Report(stderr io.Writer, err error) int {
	var code ExitCode
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &code):
		return int(code)
	}
	status := ExitError
	var coded *codedError
	if errors.As(err, &coded) {
		status = coded.code
	}
	if coded != nil && coded.atOnce && !Reads(stderr, tellTime) {
		return status
	}
	if list, ok := diag.From(err); ok {
		diag.Text(stderr, Here(list), diag.Style{Color: say.Colorful(stderr)})
		return status
	}
	if code := fault.Code(err); code != "" {
		say.Fprintf(stderr, "sbx: error[%s]: %v\n", code, err)
	} else {
		say.Fprintf(stderr, "sbx: %v\n", err)
	}
	return status
}

// Here names the files of a list as seen from the current folder.
func Here(list diag.List) diag.List {
	dir, err := os.Getwd()
	if err != nil {
		return list
	}
	return list.Relative(dir)
}

// PlaceHere names a place's file as seen from the current folder.
func PlaceHere(at diag.Pos) diag.Pos { return Here(diag.List{{Pos: at}})[0].Pos }
