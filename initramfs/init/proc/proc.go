// Package proc starts processes and reaps them, those too that a dead process
// left behind: the first process of a sandbox inherits every orphan.
package proc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/initramfs/init/limited"
	"github.com/sbx-dev/sbx/initramfs/init/privilege"
	"github.com/sbx-dev/sbx/initramfs/manifest"
)

// Spec is a command and what it starts with.
type Spec struct {
	Argv   []string
	Env    []string
	Dir    string
	User   privilege.User
	Caps   privilege.Set    // what the command holds if User is not root, none unless it says so; root holds the bounding set
	Limits []manifest.Limit // what it may have of something at most; else what this process may
	Files  [3]int           // standard input, output and error
	TTY    bool             // Files[0] is a terminal, to become the command's own
}

// Success is how a command ends that did what it should.
var Success = channel.Exit{}

// Process is a child of ours.
type Process struct {
	PID  int
	done chan struct{}
	exit channel.Exit
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit waits for the process to end and tells how it did.
func (p *Process) Exit() channel.Exit {
	<-p.done
	return p.exit
}

// Table knows our children. Only one may exist in a program, since it reaps all.
type Table struct {
	thread   *thread
	mu       sync.Mutex
	children map[int]*Process
}

// NewTable starts reaping.
func NewTable() *Table {
	t := &Table{thread: newThread(), children: map[int]*Process{}}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	go func() {
		for range ended {
			t.reap()
		}
	}()
	return t
}

func (t *Table) reap() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if pid <= 0 || err != nil {
			return
		}
		p := t.children[pid]
		if p == nil {
			continue // an orphan
		}
		delete(t.children, pid)
		if status.Signaled() {
			p.exit.Signal = int(status.Signal())
		} else {
			p.exit.Code = status.ExitStatus()
		}
		close(p.done)
	}
}

// Start starts a command in a session of its own. The error is a
// *channel.Failure.
func (t *Table) Start(s Spec) (*Process, error) {
	path, err := find(s.Argv, s.Env, s.Dir)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(s.Dir); err != nil || !info.IsDir() {
		return nil, failed("the working directory %s does not exist inside the sandbox", s.Dir)
	}
	attr := &syscall.ProcAttr{
		Dir:   s.Dir,
		Env:   s.Env,
		Files: []uintptr{uintptr(s.Files[0]), uintptr(s.Files[1]), uintptr(s.Files[2])},
		Sys: &syscall.SysProcAttr{
			Setsid:     true,
			Setctty:    s.TTY,
			Credential: s.User.Credential(),
		},
	}
	if s.User.UID != 0 {
		attr.Sys.AmbientCaps = s.Caps
	}
	p, err := t.born(path, s, attr)
	if err != nil {
		if errors.Is(err, syscall.EACCES) && !s.User.MayEnter(s.Dir) {
			return nil, failed("the user %s may not enter the working directory %s", s.User, s.Dir)
		}
		if errors.Is(err, syscall.E2BIG) {
			return nil, tooLong(path, s)
		}
		return nil, notStarted(path, err)
	}
	return p, nil
}

// born makes the process that is the command at path.
func (t *Table) born(path string, s Spec, attr *syscall.ProcAttr) (*Process, error) {
	if len(s.Limits) > 0 {
		return t.bornLimited(path, s, attr)
	}
	return t.fork(path, s.Argv, attr)
}

func (t *Table) fork(path string, argv []string, attr *syscall.ProcAttr) (*Process, error) {
	t.mu.Lock() // so that the process is known before it is reaped
	defer t.mu.Unlock()
	pid, err := t.thread.fork(path, argv, attr)
	if err != nil {
		return nil, err
	}
	p := &Process{PID: pid, done: make(chan struct{})}
	t.children[pid] = p
	return p, nil
}

// limitedTime is how long a process may take to set its limits.
const limitedTime = 30 * time.Second

// bornLimited makes a process that sets its limits before it becomes the command.
func (t *Table) bornLimited(path string, s Spec, attr *syscall.ProcAttr) (*Process, error) {
	argv, err := limited.Argv(s.Limits, path, s.Argv)
	if err != nil {
		return nil, err
	}
	told, report, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer told.Close()
	attr.Files = append(attr.Files, report.Fd())
	p, err := t.fork(limited.Self, argv, attr)
	report.Close()
	if err != nil {
		return nil, err
	}
	if err := limited.Told(told, limitedTime); err != nil {
		t.Signal(p, syscall.SIGKILL) // whoever else may have said so: it does not run on
		<-p.done
		return nil, err
	}
	return p, nil
}

func notStarted(path string, err error) error {
	reason, why := channel.ReasonFailed, err.Error()
	limit := new(limited.Failure)
	switch {
	case errors.As(err, &limit) && limit.Limit != "":
	case errors.Is(err, syscall.EACCES):
		reason, why = channel.ReasonNotExecutable, "permission denied"
	case errors.Is(err, syscall.ENOEXEC):
		reason, why = channel.ReasonNotExecutable, "it is neither a program for this machine nor a script with a #! line"
	case errors.Is(err, syscall.ENOENT):
		reason, why = channel.ReasonNotExecutable, "the interpreter or loader that it names does not exist inside the sandbox"
	}
	return &channel.Failure{Reason: reason, Message: fmt.Sprintf("cannot execute %s: %s", path, why)}
}

// tooLong says what of a command the kernel does not take (execve(2), E2BIG).
func tooLong(path string, s Spec) error {
	total, longest := 0, 0
	for _, list := range [][]string{s.Argv, s.Env} {
		for _, entry := range list {
			total += len(entry) + 1
			longest = max(longest, len(entry)+1)
		}
	}
	return &channel.Failure{Reason: channel.ReasonNotExecutable, Message: fmt.Sprintf(
		"cannot execute %s: the argument list is too long: arguments and variables are %d bytes, the longest %d; the kernel takes a quarter of the stack's limit, 2 MiB by default, with the pointers to them, and 128 KiB for one", path, total, longest)}
}

func failed(format string, args ...any) error {
	return &channel.Failure{Reason: channel.ReasonFailed, Message: fmt.Sprintf(format, args...)}
}

// find resolves a command's name as a shell does: one without a slash is looked
// for in the PATH that the command itself will have.
func find(argv, env []string, dir string) (string, error) {
	if len(argv) == 0 || argv[0] == "" {
		return "", failed("no command is given")
	}
	name := argv[0]
	if strings.Contains(name, "/") {
		at := name
		if !filepath.IsAbs(at) {
			at = filepath.Join(dir, at)
		}
		switch info, err := os.Stat(at); {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
			return "", &channel.Failure{Reason: channel.ReasonNotFound, Message: name + " does not exist inside the sandbox"}
		case err == nil && info.IsDir():
			return "", &channel.Failure{Reason: channel.ReasonNotExecutable, Message: name + " is a folder"}
		}
		return name, nil
	}
	path := lookup(env, "PATH")
	found := ""
	for _, folder := range filepath.SplitList(path) {
		candidate := filepath.Join("/", folder, name)
		info, err := os.Stat(candidate)
		if err != nil || info.IsDir() {
			continue
		}
		if info.Mode()&0o111 != 0 {
			return candidate, nil
		}
		found = candidate
	}
	if found != "" {
		return "", &channel.Failure{Reason: channel.ReasonNotExecutable, Message: found + " is not executable"}
	}
	return "", &channel.Failure{Reason: channel.ReasonNotFound,
		Message: fmt.Sprintf("%s is in no folder of PATH=%s inside the sandbox", name, path)}
}

func lookup(env []string, name string) string {
	for i := len(env) - 1; i >= 0; i-- {
		if n, value, _ := strings.Cut(env[i], "="); n == name {
			return value
		}
	}
	return ""
}
