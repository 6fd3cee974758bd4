// Suite runs the tests, shows how far they are as they go, into a file too, and
// says at the end what failed and where the time went:
//
//	suite FLAG-OR-PACKAGE-OF-GO-TEST… [-- FLAG-OR-PACKAGE-OF-GO-TEST…]…
//
// Each group of arguments is a go test of its own; all run at once.
//
// The last line counts the tests alone: "N passed, N failed, N skipped". A test
// that has subtests is none itself, but where it fails by itself. A run in which a
// test fails or is skipped, or in which there is none, fails.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"syscall"
	"time"
)

// quiet is how long nothing may end until the suite says what is at work.
const quiet = time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r := newReport(os.Stdout, time.Now())
	good := true
	var running []*exec.Cmd
	var events []io.Reader
	for _, args := range groups(os.Args[1:]) {
		command, out, err := goTest(ctx, args)
		if good = told(err) && good; err == nil {
			running, events = append(running, command), append(events, out)
		}
	}
	r.follow(quiet, events...)
	for _, command := range running {
		good = told(command.Wait()) && good
	}
	if !r.finish() || !good {
		os.Exit(1)
	}
}

// told says what is wrong with a go test, and reports whether nothing is; why it fails,
// it has said itself.
func told(err error) bool {
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		fmt.Fprintln(os.Stderr, "suite:", err)
	}
	return err == nil
}

// groups splits arguments at each "--".
func groups(args []string) (all [][]string) {
	for {
		i := slices.Index(args, "--")
		if i < 0 {
			return append(all, args)
		}
		all, args = append(all, args[:i]), args[i+1:]
	}
}

// goTest starts go test with args, and gives what it says as it goes. Where ctx ends,
// all that it has started is interrupted, and what it did until then is told.
func goTest(ctx context.Context, args []string) (*exec.Cmd, io.Reader, error) {
	command := exec.CommandContext(ctx, cmp.Or(os.Getenv("GO"), "go"), append([]string{"test", "-json"}, args...)...)
	command.Stderr = os.Stdout
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGINT) }
	events, err := command.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	return command, events, command.Start()
}
