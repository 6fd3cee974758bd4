// Suite runs the tests, shows how far they are as they go, into a file too, and
// says at the end what failed and where the time went:
//
//	suite [FLAG OR PACKAGE OF go test]…
//
// The last line counts the tests alone: "N passed, N failed, N skipped". A test
// that has subtests is none itself, but where it fails by itself. A run in which a
// test fails or is skipped, or in which there is none, fails.
package main

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

// quiet is how long nothing may end until the suite says what is at work.
const quiet = time.Minute

func main() {
	os.Exit(suite(append([]string{"test", "-json"}, os.Args[1:]...)))
}

// suite runs go with args and reports of it.
func suite(args []string) int {
	command := exec.Command(cmp.Or(os.Getenv("GO"), "go"), args...)
	command.Stderr = os.Stdout
	events, err := command.StdoutPipe()
	if err == nil {
		// A signal is for the tests to end by; what they did until then is told.
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
		err = command.Start()
		go func() {
			for range signals {
				_ = command.Process.Signal(os.Interrupt) // it has ended, else
			}
		}()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "suite:", err)
		return 1
	}
	r := newReport(os.Stdout, time.Now())
	r.follow(events, quiet)
	err = command.Wait()
	if !r.finish() || err != nil {
		return 1
	}
	return 0
}
