package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// asAttack is the argument by which the probe tries all attempts of a hostile root
// and writes a line for each: its name, a tab, and what came of it.
const asAttack = "attack"

// attempt is something that a sandbox's root tries. It has got through where try
// gives no error. The error is the kernel's, and one of those that are wanted: any
// other one says that the attempt failed before it came to the wall.
type attempt struct {
	name string
	want []syscall.Errno
	try  func() error

	apart bool // in a process of its own, which it may not outlive
}

// Of what a wall says.
var (
	denied   = []syscall.Errno{syscall.EPERM, syscall.EACCES}
	noWrite  = []syscall.Errno{syscall.EROFS, syscall.EACCES, syscall.EPERM, syscall.ENOENT}
	noSystem = []syscall.Errno{syscall.EPERM, syscall.ENOSYS}
)

// attackAll tries everything.
func attackAll(out io.Writer) error {
	for _, a := range allAttempts() {
		result := a.judge(a.run())
		if _, err := fmt.Fprintf(out, "%s\t%s\n", a.name, result); err != nil {
			return err
		}
	}
	return nil
}

func allAttempts() []attempt {
	return slices.Concat(callAttempts(), namespaceAttempts(), socketAttempts(), mountAttempts(), kernelFileAttempts(),
		fileAttempts(), boundAttempts(), setIDAttempts(), processAttempts(), privilegeAttempts(), abiAttempts())
}

// errUnseen is what an attempt gives that learnt nothing.
var errUnseen = errors.New("nothing is seen")

// judge says what came of an attempt: "held", with the error, or what went wrong.
func (a attempt) judge(err error) string {
	var number syscall.Errno
	switch {
	case err == nil:
		return "GOT THROUGH"
	case errors.Is(err, errUnseen):
		return "held: " + err.Error()
	case errors.As(err, &number) && slices.Contains(a.want, number):
		return "held: " + errorName(err)
	}
	return "UNEXPECTED: " + errorName(err)
}

// attemptTime is how long an attempt in a process of its own may take.
const attemptTime = time.Minute

// run makes the attempt on a thread that ends with it, or in another process.
func (a attempt) run() error {
	if a.apart {
		return a.runApart()
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- a.try()
	}()
	return <-done
}

func (a attempt) runApart() error {
	command := exec.Command("/proc/self/exe", asAttack, a.name)
	var said strings.Builder
	command.Stdout = &said
	if err := command.Start(); err != nil {
		return err
	}
	timer := time.AfterFunc(attemptTime, func() { command.Process.Kill() })
	defer timer.Stop()
	err := command.Wait()
	var n int
	if _, scan := fmt.Sscanf(said.String(), "errno %d", &n); scan == nil {
		return syscall.Errno(n)
	}
	if status, ok := command.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return fmt.Errorf("%w: it was ended by %v", errUnseen, status.Signal())
	}
	return err
}

// attackOne makes one attempt in this process and says what the kernel said.
func attackOne(name string) error {
	for _, a := range allAttempts() {
		if a.name != name {
			continue
		}
		err := a.try()
		var number syscall.Errno
		if errors.As(err, &number) {
			fmt.Printf("errno %d\n", int(number))
			return nil
		}
		return err
	}
	return fmt.Errorf("there is no attempt %q", name)
}

// inSandbox says whether the first process here is sbx-init.
func inSandbox() bool {
	first, err := os.ReadFile("/proc/1/cmdline")
	name, _, _ := strings.Cut(string(first), "\x00")
	return err == nil && (name == "/.sbx/init" || name == "/init")
}

// attack does what the arguments behind asAttack say. On a host it would be what it
// is called.
func attack(names []string) {
	var err error
	if !inSandbox() {
		err = errors.New("this destroys the host that it runs on: it is for sandboxes alone")
	} else if len(names) == 1 {
		err = attackOne(names[0])
	} else {
		err = attackAll(os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
}

// raw makes a system call.
func raw(number uintptr, args ...uintptr) error {
	var a [6]uintptr
	copy(a[:], args)
	if _, _, errno := syscall.Syscall6(number, a[0], a[1], a[2], a[3], a[4], a[5]); errno != 0 {
		return errno
	}
	return nil
}
