// Package limited executes commands under limits (setrlimit(2)). A process has those of
// the one that it was forked from, which are sbx-init's own: a command that is to have
// others sets them itself, as sbx-init under another name that then becomes the command.
package limited

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/initramfs/manifest"
	"github.com/sbx-dev/sbx/internal/splice"
	"github.com/sbx-dev/sbx/internal/ulimits"
)

// Self is the program that sets the limits: sbx-init, whoever runs it.
const Self = "/proc/self/exe"

// word is that program's name where it does.
const word = "sbx-init-limited"

// report is the descriptor behind the command's own to which it says why there is no
// command. It is closed where there is one.
const report = 3

// Failure is why there is no command: a limit that it could not have, or the error of
// execve(2).
type Failure struct {
	Limit string        // what is wrong with a limit; empty where it is the command
	Errno syscall.Errno // of the command
}

// Error implements error.
func (f *Failure) Error() string {
	if f.Limit != "" {
		return f.Limit
	}
	return f.Errno.Error()
}

// Unwrap gives the kernel's reason.
func (f *Failure) Unwrap() error {
	if f.Errno == 0 {
		return nil
	}
	return f.Errno
}

// Argv are the arguments by which Self becomes the command at path, which has the
// arguments argv, under the limits.
func Argv(limits []manifest.Limit, path string, argv []string) ([]string, error) {
	text, err := json.Marshal(limits)
	if err != nil {
		return nil, err
	}
	if err := keepFiles(limits); err != nil {
		return nil, err
	}
	return append([]string{word, string(text), path}, argv...), nil
}

// keepFiles has what this process makes be born with its own limit of open files, where
// they name one. Go would give it the one that this process has had when it started,
// which the host may have raised since.
func keepFiles(limits []manifest.Limit) error {
	if !slices.ContainsFunc(limits, func(l manifest.Limit) bool { return l.Name == "nofile" }) {
		return nil
	}
	var now syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &now); err != nil {
		return err
	}
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &now)
}

// Told reads what Self has said to the other end of its report, until it is the command
// or has ended; or until the limit, which is beyond what that takes: another process of
// its user may have opened that end, too (/proc/PID/fd), and keep it.
func Told(from *os.File, limit time.Duration) error {
	if err := from.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(splice.Left(from), 4<<10))
	if err != nil || len(text) == 0 {
		return err
	}
	failure := new(Failure)
	if err := json.Unmarshal(text, failure); err != nil {
		return fmt.Errorf("what sets its limits says %q", text)
	}
	return failure
}

// Execute becomes the command that the arguments of this program say, if they are those
// of Argv.
func Execute(args []string) {
	if len(args) < 4 || args[0] != word {
		return
	}
	unix.CloseOnExec(report)
	text, err := json.Marshal(execute(args[1], args[2], args[3:]))
	if err == nil {
		_, _ = unix.Write(report, text)
	}
	os.Exit(127)
}

// room is the least memory, in bytes, that is had before the limits hold, for what comes
// after them.
const room = 4 << 20

func execute(limits, path string, argv []string) *Failure {
	var list []manifest.Limit
	if err := json.Unmarshal([]byte(limits), &list); err != nil {
		return &Failure{Limit: err.Error()}
	}
	env := os.Environ()
	reserve(argv, env)
	for _, l := range list {
		if err := set(l); err != nil {
			return &Failure{Limit: err.Error()}
		}
	}
	err := syscall.Exec(path, argv, env)
	failure := new(Failure)
	errors.As(err, &failure.Errno)
	return failure
}

// reserve has this process hold the memory that becoming the command takes, for a limit
// on memory or threads leaves it none.
func reserve(lists ...[]string) {
	size := room
	for _, list := range lists {
		for _, s := range list {
			size += 4 * (len(s) + 16)
		}
	}
	debug.SetGCPercent(-1)
	held := make([]byte, size)
	for i := 0; i < len(held); i += 4 << 10 {
		held[i] = 1
	}
	held = nil
	debug.FreeOSMemory()
}

// set sets a limit of this process. That of open files is Go's, too, which would give the
// command another one.
func set(l manifest.Limit) error {
	resource, err := ulimits.Resource(l)
	if err != nil {
		return err
	}
	limit := syscall.Rlimit{Cur: l.Soft, Max: l.Hard}
	if err := syscall.Setrlimit(resource, &limit); err != nil {
		return fmt.Errorf("resources.ulimits.%s: it cannot have %s, and %s at most: %w", l.Name, ulimits.Text(l.Soft), ulimits.Text(l.Hard), err)
	}
	return nil
}
