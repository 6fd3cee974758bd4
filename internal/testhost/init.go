package testhost

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
)

// runInit is the life of the host's first process: set the host up, run argv in
// it, and reap everything until argv has ended. All that still runs ends when
// it returns and its program exits.
func runInit(argv []string) (int, error) {
	// A control group namespace belongs to a thread, and so to those that the
	// thread starts: setting up and starting stay on this one.
	runtime.LockOSThread()
	if err := enterGroup(os.Getenv(groupVar)); err != nil {
		return 0, err
	}
	if err := setUpMounts(); err != nil {
		return 0, err
	}
	if err := setUpLoopback(); err != nil {
		return 0, err
	}
	if err := writeConfig(); err != nil {
		return 0, err
	}
	daemons, err := startDaemons()
	if err != nil {
		return 0, err
	}
	command, err := startCommand(argv)
	if err != nil {
		return 0, err
	}
	return reap(command, daemons)
}

// startCommand starts argv as a program of the host and forwards signals to it.
func startCommand(argv []string) (int, error) {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return 0, err
	}
	os.Unsetenv(groupVar)
	os.Setenv(stageVar, stageInside)
	os.Unsetenv("LIBVIRT_DEFAULT_URI")
	p, err := os.StartProcess(path, argv, &os.ProcAttr{Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}})
	if err != nil {
		return 0, err
	}
	pid := p.Pid
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, forwarded...)
	go func() {
		for s := range signals {
			syscall.Kill(pid, s.(syscall.Signal))
		}
	}()
	return pid, nil
}

// reap collects every process that ends until the command does, whose exit code
// it gives. A daemon that ends before is started again, as a host's service
// manager would.
func reap(command int, daemons map[int]daemon) (int, error) {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case err == syscall.EINTR:
			continue
		case err != nil:
			return 0, fmt.Errorf("cannot wait for the host's processes: %w", err)
		case pid == command:
			return exitCode(status), nil
		}
		if d, ok := daemons[pid]; ok {
			delete(daemons, pid)
			p, err := d.start()
			if err != nil {
				return 0, err
			}
			daemons[p] = d
		}
	}
}
