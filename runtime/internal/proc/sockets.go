package proc

import (
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// reapLimit is how long a process that has ended is waited for to be reaped: its parent is
// the system's first process, which does that at once.
const reapLimit = 100 * time.Millisecond

// KillReaped ends the process by force, as Kill does, and keeps the sockets open that it
// has until its parent has reaped it. Who speaks with it over one of them then learns of
// the end when nothing is left of the process: libvirtd looks for it once, as soon as its
// connection has ended, and where it is there yet, next in a fifth of a second. pid is the
// process's id. Where this process may not take the sockets, it is Kill.
func (e End) KillReaped(pid int, limit time.Duration) { e.killReaped(pid, limit, reapLimit) }

func (e End) killReaped(pid int, limit, reap time.Duration) {
	held := e.sockets(pid)
	defer func() {
		for _, fd := range held {
			unix.Close(fd)
		}
	}()
	e.Kill(limit)
	if len(held) == 0 {
		return
	}
	for until := time.Now().Add(reap); time.Now().Before(until) && unix.PidfdSendSignal(e.fd, 0, nil, 0) == nil; {
		time.Sleep(200 * time.Microsecond)
	}
}

// sockets are the process's, taken over from it.
func (e End) sockets(pid int) (held []int) {
	const dir = "/fd"
	files, err := os.ReadDir(Dir(pid) + dir)
	if err != nil {
		return nil
	}
	for _, file := range files {
		fd, err := strconv.Atoi(file.Name())
		if err != nil {
			continue
		}
		if what, err := os.Readlink(Dir(pid) + dir + "/" + file.Name()); err != nil || !strings.HasPrefix(what, "socket:") {
			continue
		}
		if taken, err := unix.PidfdGetfd(e.fd, fd, 0); err == nil { // of the process that is watched, whoever has its id by now
			held = append(held, taken)
		}
	}
	return held
}
