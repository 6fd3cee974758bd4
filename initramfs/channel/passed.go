package channel

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/splice"
)

// outputPipe is what the payload of KindStarted begins with where the command's standard
// output comes by the pipe that the host has passed.
const outputPipe = 1

// DialPassing is Dial over a unix socket to the first process itself: it is handed the
// writing end of a pipe, through which the standard output of one command comes that
// goes into a file of this process, without being copied in frames.
//
// The pipe is made for that and has nobody else at it. It belongs to the host's root, so
// that nobody in a container can open its other end by /proc.
func DialPassing(ctx context.Context, conn net.Conn) (*Client, error) {
	socket, ok := conn.(*net.UnixConn)
	if !ok {
		return Dial(ctx, conn)
	}
	r, w, err := os.Pipe()
	if err != nil {
		conn.Close()
		return nil, err
	}
	defer w.Close() // the first process has its own
	client, err := Dial(ctx, &passing{UnixConn: socket, first: unix.UnixRights(int(w.Fd()))})
	if err != nil {
		r.Close()
		return nil, err
	}
	client.output = r
	return client, nil
}

// passing is a host's connection that passes a descriptor beside its first bytes.
type passing struct {
	*net.UnixConn
	first []byte // unix(7), SCM_RIGHTS; nil when it is passed
}

// Write implements io.Writer.
func (p *passing) Write(b []byte) (int, error) {
	if p.first == nil || len(b) == 0 {
		return p.UnixConn.Write(b)
	}
	n, _, err := p.WriteMsgUnix(b[:1], p.first, nil)
	if err != nil {
		return max(n, 0), err
	}
	p.first = nil
	rest, err := p.UnixConn.Write(b[n:])
	return n + rest, err
}

// receiving is a guest's connection, over which it is passed descriptors.
type receiving struct {
	*net.UnixConn
	mu   sync.Mutex
	file *os.File // the one that was passed last
}

// Read implements io.Reader.
func (r *receiving) Read(b []byte) (int, error) {
	var beside [64]byte // a message of more is cut, and what is in it closed
	n, extra, _, _, err := r.ReadMsgUnix(b, beside[:])
	if err != nil {
		return 0, err
	}
	for _, f := range files(beside[:extra]) {
		r.put(f)
	}
	if n == 0 && len(b) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// files are those of a control message.
func files(message []byte) (list []*os.File) {
	messages, err := unix.ParseSocketControlMessage(message)
	if err != nil {
		return nil
	}
	for _, m := range messages {
		rights, err := unix.ParseUnixRights(&m)
		if err != nil {
			continue
		}
		for _, fd := range rights {
			_ = unix.SetNonblock(fd, true) // so that Go waits for it; else it blocks a thread
			list = append(list, os.NewFile(uintptr(fd), "passed"))
		}
	}
	return list
}

// put keeps a file, or none, in the place of the one before.
func (r *receiving) put(f *os.File) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file != nil {
		r.file.Close()
	}
	r.file = f
}

// take gives the file away, once.
func (r *receiving) take() (f *os.File) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f, r.file = r.file, nil
	return f
}

// Output is the pipe that the host wants the standard output of its command in, where
// it does and has passed one; the caller closes it.
func (s *Stream) Output(c Command) *os.File {
	if !c.Piped || s.passed == nil {
		return nil
	}
	return s.passed.take()
}

// Started tells the host that its command runs, and whether its output comes by the pipe.
func (s *Stream) Started(piped bool) error {
	if piped {
		return s.Send(KindStarted, []byte{outputPipe})
	}
	return s.Send(KindStarted, nil)
}

// direct is a command's standard output that comes by a pipe.
type direct struct {
	from *os.File
	done chan struct{}
}

// takeOutput is the pipe for the output, where it can be used: once, and for a file that
// the command's errors do not go into as well, since their order would be lost. What
// goes to a terminal may be mixed with more.
func (c *Client) takeOutput(stdio Stdio, tty bool) (from, to *os.File) {
	to, ok := stdio.Stdout.(*os.File)
	if !ok || tty || sameFile(to, stdio.Stderr) || isTerminal(to) {
		return nil, nil
	}
	c.outputOnce.Do(func() { from, c.output = c.output, nil })
	return from, to
}

// sameFile says whether both are one file, or may be.
func sameFile(a *os.File, b any) bool {
	other, ok := b.(*os.File)
	if !ok {
		return false
	}
	x, err := a.Stat()
	if err != nil {
		return true
	}
	y, err := other.Stat()
	return err != nil || os.SameFile(x, y)
}

func isTerminal(f *os.File) (is bool) {
	conn, err := f.SyscallConn()
	if err != nil {
		return true
	}
	err = conn.Control(func(fd uintptr) {
		_, err := unix.IoctlGetTermios(int(fd), unix.TCGETS)
		is = err == nil
	})
	return is || err != nil
}

// pass moves what comes by the pipe into a file, and closes the pipe then. When that
// fails, nobody reads: the command finds its pipe closed.
func pass(from, to *os.File) *direct {
	d := &direct{from, make(chan struct{})}
	splice.Widen(from)
	go func() {
		defer close(d.done)
		defer from.Close()
		if err := splice.All(to, from); errors.Is(err, os.ErrDeadlineExceeded) {
			_ = splice.Rest(to, from) // or nobody reads
		}
	}()
	return d
}

// finish waits until all is moved that the command has written, which has ended, or until
// ctx ends, which is an error: it may be that nobody reads it. What somebody in the sandbox
// writes later, who has kept the pipe, is no more than a pipe holds.
func (d *direct) finish(ctx context.Context) error {
	if d == nil {
		return nil
	}
	_ = d.from.SetReadDeadline(past) // or it is closed: all is moved
	select {
	case <-d.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
