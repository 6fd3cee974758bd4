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
	"strconv"
	"syscall"
	"time"
	"unsafe"

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

// execute returns where the command could not be prepared. From the limits on memory on,
// nothing is allocated: what Go's runtime needs for that, it may not get any more, and ends
// the process.
func execute(limits, path string, argv []string) *Failure {
	var list []manifest.Limit
	if err := json.Unmarshal([]byte(limits), &list); err != nil {
		return &Failure{Limit: err.Error()}
	}
	image, err := newImage(path, argv, os.Environ())
	if err != nil {
		return &Failure{Limit: err.Error()}
	}
	bounds, err := newBounds(list)
	if err != nil {
		return &Failure{Limit: err.Error()}
	}
	debug.SetGCPercent(-1)
	for i := range bounds {
		if errno := bounds[i].set(); errno != 0 {
			return bounds[i].refused(errno)
		}
	}
	image.become()
	return nil
}

// bound is a limit as prlimit(2) takes it.
type bound struct {
	of       manifest.Limit
	resource int
	limit    syscall.Rlimit
}

// newBounds are the limits, those last that keep Go's runtime from memory.
func newBounds(list []manifest.Limit) ([]bound, error) {
	var bounds, last []bound
	for _, l := range list {
		resource, err := ulimits.Resource(l)
		if err != nil {
			return nil, err
		}
		b := bound{l, resource, syscall.Rlimit{Cur: l.Soft, Max: l.Hard}}
		if resource == unix.RLIMIT_AS || resource == unix.RLIMIT_DATA {
			last = append(last, b)
		} else {
			bounds = append(bounds, b)
		}
	}
	return append(bounds, last...), nil
}

// set sets the limit of this process. Go is not told of it, which would give the command
// another one of open files.
func (b *bound) set() syscall.Errno {
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, 0, uintptr(b.resource), uintptr(unsafe.Pointer(&b.limit)), 0, 0, 0)
	return errno
}

func (b *bound) refused(errno syscall.Errno) *Failure {
	return &Failure{Limit: fmt.Sprintf("resources.ulimits.%s: it cannot have %s, and %s at most: %v", b.of.Name, ulimits.Text(b.of.Soft), ulimits.Text(b.of.Hard), errno)}
}

// image is what execve(2) takes, and room to say why it does not.
type image struct {
	path      *byte
	argv, env []*byte
	failure   []byte
}

func newImage(path string, argv, env []string) (*image, error) {
	i := &image{failure: make([]byte, 0, 64)}
	var err [3]error
	i.path, err[0] = syscall.BytePtrFromString(path)
	i.argv, err[1] = syscall.SlicePtrFromStrings(argv)
	i.env, err[2] = syscall.SlicePtrFromStrings(env)
	return i, errors.Join(err[:]...)
}

// become becomes the command, or says to the report why it cannot, and ends.
func (i *image) become() {
	_, _, errno := syscall.RawSyscall(syscall.SYS_EXECVE, uintptr(unsafe.Pointer(i.path)), uintptr(unsafe.Pointer(&i.argv[0])), uintptr(unsafe.Pointer(&i.env[0])))
	i.failure = append(i.failure, `{"Errno":`...)
	i.failure = strconv.AppendUint(i.failure, uint64(errno), 10)
	i.failure = append(i.failure, '}')
	_, _, _ = syscall.RawSyscall(syscall.SYS_WRITE, report, uintptr(unsafe.Pointer(&i.failure[0])), uintptr(len(i.failure)))
	_, _, _ = syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 127, 0, 0)
}
