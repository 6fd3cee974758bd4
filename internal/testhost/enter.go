package testhost

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// stageVar tells a re-executed program where it is: unset outside of any host,
// stageInit as the host's first process, stageInside in a program of the host.
const (
	stageVar    = "SBX_TESTHOST"
	stageInit   = "init"
	stageInside = "inside"
)

// groupVar names the control group of the host to its first process.
const groupVar = "SBX_TESTHOST_CGROUP"

// forwarded are the signals that reach the command inside.
var forwarded = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGHUP}

// grace is how long the command inside may take to end when it is told to.
const grace = 5 * time.Second

// Run starts a host, runs argv inside it with this process's standard streams
// and gives its exit code; the host is gone when Run returns. It ends with whoever
// started this process, too: go test and go run pass no signal on. The calling
// program is executed again as the host's first process, so Run must be called
// early in main, and only once.
func Run(argv []string) (int, error) {
	if os.Getenv(stageVar) == stageInit {
		return runInit(argv)
	}
	if err := Missing(); err != nil {
		return 0, err
	}
	group, err := makeGroup("sbx-test-" + strconv.Itoa(os.Getpid()))
	if err != nil {
		return 0, err
	}
	defer group.remove()
	return startInit(group)
}

// startInit executes this program again as the first process of new namespaces
// and waits for it.
func startInit(group *group) (int, error) {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), stageVar+"="+stageInit, groupVar+"="+group.name)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS,
		Pdeathsig:  syscall.SIGKILL,
	}
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("cannot make namespaces: %w", err)
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, forwarded...)
	defer signal.Stop(signals)
	go passOn(signals, cmd.Process)
	go endWithParent(signals)
	err := cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, err
	}
	return exitCode(cmd.ProcessState.Sys().(syscall.WaitStatus)), nil
}

// passOn passes the signals on to the host's first process. What has been asked to
// end and does not is killed, by killing that one and with it all processes of its
// namespace; what a terminal's keys interrupt may go on.
func passOn(signals <-chan os.Signal, first *os.Process) {
	for s := range signals {
		first.Signal(s)
		if s == syscall.SIGTERM || s == syscall.SIGHUP {
			time.AfterFunc(grace, func() { first.Kill() })
		}
	}
}

// endWithParent asks the host to end when this process's parent has.
func endWithParent(signals chan<- os.Signal) {
	parent := os.Getppid()
	fd, err := unix.PidfdOpen(parent, 0)
	if err != nil && err != unix.ESRCH {
		return // it is in no namespace that we see, or the kernel cannot tell
	}
	for os.Getppid() == parent {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, -1); err != nil && err != unix.EINTR {
			return
		}
	}
	signals <- syscall.SIGTERM
}

// exitCode is the status as a shell gives it: 128 and the signal's number for
// a process that a signal ended.
func exitCode(s syscall.WaitStatus) int {
	if s.Signaled() {
		return 128 + int(s.Signal())
	}
	return s.ExitStatus()
}
