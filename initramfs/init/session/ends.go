package session

import (
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/initramfs/init/privilege"
	"github.com/sbx-dev/sbx/internal/splice"
)

// lateOutput is how long output is awaited of processes that a command has left
// behind and that still hold its pipes.
const lateOutput = 100 * time.Millisecond

// ends are both ends of what connects a command: three pipes, or a terminal.
type ends struct {
	inside   [3]int      // the command's own, as it gets them: blocking
	stdin    *os.File    // nil: the command reads /dev/null
	unread   int         // what looks into the pipe of stdin; -1 where that is none
	outputs  [2]*os.File // the second is nil for a terminal
	terminal bool
}

// openPipes makes the pipes of a command that runs as the user. That of standard output is
// wide: in an emulated machine, waking up who waits at its other end is most of what
// output costs.
func openPipes(stdin bool, user privilege.User) (*ends, error) {
	e := &ends{inside: [3]int{-1, -1, -1}, unread: -1}
	err := e.connect(stdin, user)
	if err != nil {
		e.closeInside()
		e.close()
		return nil, err
	}
	return e, nil
}

func (e *ends) connect(stdin bool, user privilege.User) (err error) {
	if stdin {
		err = e.connectStdin(user)
	} else {
		e.inside[0], err = unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	}
	for i := 0; i < 2 && err == nil; i++ {
		e.inside[i+1], e.outputs[i], err = user.OutputPipe()
	}
	if err == nil {
		splice.Widen(e.outputs[0])
	}
	return err
}

// connectStdin makes the pipe of standard input. We keep a reading end, too: it
// tells how much is unread also when the others are closed.
func (e *ends) connectStdin(user privilege.User) (err error) {
	if e.inside[0], e.stdin, err = user.InputPipe(); err != nil {
		return err
	}
	e.unread, err = unix.FcntlInt(uintptr(e.inside[0]), unix.F_DUPFD_CLOEXEC, 0)
	return err
}

// closeInside closes the command's ends; the command has its own copies.
func (e *ends) closeInside() {
	for i, fd := range e.inside {
		if fd >= 0 && (i == 0 || fd != e.inside[0]) {
			unix.Close(fd)
		}
	}
}

// close closes our ends.
func (e *ends) close() {
	e.endStdin()
	if e.unread >= 0 {
		unix.Close(e.unread)
		e.unread = -1
	}
	for _, f := range e.outputs {
		if f != nil {
			f.Close()
		}
	}
}

// endInput ends what the command reads. A terminal has no end of its own: a person
// types Ctrl-D, and so do we.
func (e *ends) endInput(stop <-chan struct{}) {
	if e.terminal {
		typeEnd(e.stdin, stop)
	}
	e.endStdin()
}

// endStdin closes standard input that is a pipe.
func (e *ends) endStdin() {
	if e.stdin != nil && !e.terminal {
		e.stdin.Close()
	}
}

// closeOutput closes an output that nobody reads: the command that writes to it
// gets SIGPIPE, and from a terminal SIGHUP.
func (e *ends) closeOutput(number int) {
	if number < 1 || number > 2 || e.outputs[number-1] == nil {
		return
	}
	e.outputs[number-1].Close()
}

// drain stops waiting for output some time after the command has ended.
func (e *ends) drain() {
	for _, f := range e.outputs {
		if f != nil {
			_ = f.SetReadDeadline(time.Now().Add(lateOutput)) // closed already
		}
	}
}

// resize gives the terminal another size.
func (e *ends) resize(size channel.Size) {
	if !e.terminal {
		return
	}
	conn, err := e.outputs[0].SyscallConn()
	if err != nil {
		return
	}
	_ = conn.Control(func(fd uintptr) {
		_ = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: size.Rows, Col: size.Cols})
	})
}
