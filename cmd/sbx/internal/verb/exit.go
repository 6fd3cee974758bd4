package verb

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

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
func WithCode(code int, err error) error { return &codedError{code, err} }

// codedError is an error that ends sbx with another code than 1.
type codedError struct {
	code int
	err  error
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
	if status == ExitTimeout && !isRead(stderr) {
		return status // the time is over, also for who does not read
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

// tellTime is how long the words that --timeout is over wait for whoever reads errors.
const tellTime = time.Second

// isRead says whether a line can be written without waiting any longer than tellTime.
func isRead(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return true
	}
	conn, err := f.SyscallConn()
	if err != nil {
		return true
	}
	var polled []unix.PollFd
	err = conn.Control(func(fd uintptr) {
		polled = []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
		for limit := time.Now().Add(tellTime); ; {
			n, err := unix.Poll(polled, int(max(0, time.Until(limit)).Milliseconds()))
			if !errors.Is(err, unix.EINTR) || n > 0 || time.Now().After(limit) {
				return
			}
		}
	})
	return err != nil || polled[0].Revents != 0
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
