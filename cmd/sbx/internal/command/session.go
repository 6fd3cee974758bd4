// Package command holds the verbs that run one command: run, exec and cp.
package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/internal/input"
)

const sessionCodes = `The exit code is the command's own, or 128 and the number of the signal that
killed it. sbx itself ends with 124 when --timeout was over, 125 when the
sandbox or the session failed, 126 when the command cannot be executed and 127
when it does not exist inside the sandbox.`

const streamsHelp = `Of standard input sbx takes what the command reads, and leaves the rest to
whoever reads next; from a terminal, which cannot be read so, a line more at most,
and nothing while sbx is in the background. With -n the command has none. Where it
ends, a terminal of -t gets Ctrl-D.`

// terminal is the user's end of a session.
type terminal struct {
	stdio   channel.Stdio
	size    *channel.Size // nil: no terminal is asked for
	restore func()
}

// sessionFlags are the arguments of run and exec about the command's streams.
type sessionFlags struct {
	TTY         bool          `short:"t" name:"tty" help:"Give the command a terminal."`
	Interactive bool          `short:"i" hidden:"" help:"The command reads this standard input, as it does without."`
	NoStdin     bool          `short:"n" name:"no-stdin" help:"Give the command an empty standard input."`
	Timeout     time.Duration `placeholder:"TIME" help:"End the command after this time: 90s, 5m."`
}

// openTerminal connects a session to sbx's own standard streams. With a TTY, the
// user's terminal passes every key on to the command, as ssh -t does.
func openTerminal(a *verb.App, flags sessionFlags) (*terminal, error) {
	t := &terminal{
		stdio:   channel.Stdio{Stdout: a.Stdout, Stderr: a.Stderr},
		restore: func() {},
	}
	if flags.NoStdin {
		a.Stdin = nil
	}
	if err := t.openStdin(a); err != nil {
		return nil, fmt.Errorf("standard input: %w", err)
	}
	if !flags.TTY {
		return t, nil
	}
	t.size = &channel.Size{Rows: 24, Cols: 80}
	in, ok := a.Stdin.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return t, nil
	}
	before, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		t.restore()
		return nil, fmt.Errorf("cannot prepare the terminal: %w", err)
	}
	stop := t.restore
	t.restore = func() {
		stop()
		_ = term.Restore(int(in.Fd()), before) // it may be gone
	}
	t.size = windowSize(in)
	return t, nil
}

// openStdin has the session read sbx's standard input no further than its command
// does.
func (t *terminal) openStdin(a *verb.App) error {
	f, ok := a.Stdin.(*os.File)
	if !ok {
		t.stdio.Stdin = a.Stdin
		return nil
	}
	in, err := input.Open(f)
	if err != nil {
		return err
	}
	t.stdio.Stdin, t.restore = in, in.Close
	return nil
}

func windowSize(f *os.File) *channel.Size {
	cols, rows, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return &channel.Size{Rows: 24, Cols: 80}
	}
	return &channel.Size{Rows: uint16(rows), Cols: uint16(cols)}
}

// env is what a terminal's programs need to know of it.
func (t *terminal) env() []string {
	if name := os.Getenv("TERM"); t.size != nil && name != "" {
		return []string{"TERM=" + name}
	}
	return nil
}

// session runs a command through do and turns what becomes of it into an exit
// code.
func session(a *verb.App, flags sessionFlags, do func(context.Context, *terminal) (channel.Exit, error)) error {
	t, err := openTerminal(a, flags)
	if err != nil {
		return verb.WithCode(verb.ExitSbx, err)
	}
	defer t.restore()
	// From here on an interrupt is the command's.
	ctx, end := context.WithCancelCause(context.WithoutCancel(a.Ctx))
	defer end(nil)
	if flags.Timeout != 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, flags.Timeout, errTimeout)
		defer cancel()
	}
	t.watch(ctx, a, end)
	exit, err := do(ctx, t)
	if err != nil {
		return sessionError(err)
	}
	if status := exit.Status(); status != 0 {
		return verb.ExitCode(status)
	}
	return nil
}

var errTimeout = errors.New("the command was ended: --timeout is over")

// sessionError gives an error the exit code that it stands for.
func sessionError(err error) error {
	var failure *channel.Failure
	switch {
	case errors.Is(err, errTimeout): // whatever was under way
		return verb.AtOnce(verb.ExitTimeout, errTimeout)
	case errors.Is(err, errUnread):
		return verb.AtOnce(128+int(syscall.SIGTERM), errUnread)
	case !errors.As(err, &failure):
		return verb.WithCode(verb.ExitSbx, err)
	case failure.Reason == channel.ReasonNotFound:
		return verb.WithCode(verb.ExitNotFound, err)
	case failure.Reason == channel.ReasonNotExecutable:
		return verb.WithCode(verb.ExitNotExecutable, err)
	}
	return verb.WithCode(verb.ExitSbx, err)
}
