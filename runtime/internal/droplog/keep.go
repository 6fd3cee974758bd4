package droplog

import (
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/compiler/identity"
	"github.com/sbx-dev/sbx/internal/denied"
)

// The log's file, in the folder of the sandbox's log, and what it is before it is whole.
const (
	file    = "denied"
	partial = "denied.new"
)

// pause is how often the file is written at most.
const pause = time.Second

// Keep reads from a descriptor of Listen's, of the named sandbox, in the background, and
// keeps the log in a folder, which is all that it names. stop ends that, once all is
// written that has come.
func Keep(fd uintptr, dir *os.File, name string) (stop func()) {
	k := keeper{dir: dir, own: identity.Filter(name, ""), last: map[uint16]uint32{}}
	if before, err := readIn(dir); err == nil { // an earlier keeper's
		k.log = *before
	}
	_ = unix.SetNonblock(int(fd), true) // so that a read that waits can be ended
	socket := os.NewFile(fd, "what is dropped")
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		k.run(socket)
	}()
	return func() {
		k.end(socket)
		<-ended
		socket.Close()
	}
}

// keeper keeps one log. What it cannot write is written with what comes next: nothing
// else of its sandbox waits for it.
type keeper struct {
	log     denied.Log
	dir     *os.File
	own     string            // the wall of the only interface; of several each has it and a full stop in front
	last    map[uint16]uint32 // the number of each group's latest packet
	dirty   bool
	written time.Time

	ending sync.Mutex // held to set the socket's deadline
	ended  bool
}

// end has run come to its end.
func (k *keeper) end(socket *os.File) {
	k.ending.Lock()
	defer k.ending.Unlock()
	if k.ended = true; socket.SetReadDeadline(time.Unix(1, 0)) != nil {
		socket.Close() // the null device
	}
}

// wait bounds how long a read waits, and says whether it is to wait at all.
func (k *keeper) wait(socket *os.File, deadline time.Time) bool {
	k.ending.Lock()
	defer k.ending.Unlock()
	if !k.ended {
		_ = socket.SetReadDeadline(deadline)
	}
	return !k.ended
}

func (k *keeper) run(socket *os.File) {
	k.log.Hears, k.dirty = socket.SetReadDeadline(time.Time{}) == nil, true // the null device has no poller
	for buffer := make([]byte, 1<<16); ; {
		if k.dirty && time.Since(k.written) >= pause {
			k.write()
		}
		deadline := time.Time{}
		if k.dirty {
			deadline = k.written.Add(pause)
		}
		if !k.wait(socket, deadline) {
			k.rest(socket, buffer)
			return
		}
		n, err := socket.Read(buffer)
		switch {
		case err == nil && n > 0:
			k.take(buffer[:n])
		case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, unix.EINTR), errors.Is(err, unix.ENOBUFS): // what got lost, the numbers say
		default:
			if !errors.Is(err, os.ErrClosed) {
				k.log.Hears, k.dirty = false, true
			}
			if k.dirty {
				k.write()
			}
			return
		}
	}
}

// most is how many messages are read after the end, at most: more than a socket holds.
const most = 10_000

// rest writes what has come by now, though nobody had read it yet.
func (k *keeper) rest(socket *os.File, buffer []byte) {
	if conn, err := socket.SyscallConn(); err == nil {
		_ = conn.Control(func(fd uintptr) {
			for range most {
				n, err := unix.Read(int(fd), buffer)
				if errors.Is(err, unix.EAGAIN) || err == nil && n == 0 {
					return
				}
				k.take(buffer[:max(n, 0)])
			}
		})
	}
	if k.dirty {
		k.write()
	}
}

// take notes the packets of a message.
func (k *keeper) take(message []byte) {
	now := time.Now().UTC()
	read(message, func(p packet) { k.note(p, now) })
}

func (k *keeper) note(p packet, at time.Time) {
	if before, known := k.last[p.group]; known {
		k.log.Missed += uint64(p.number - before - 1)
	}
	k.last[p.group] = p.number
	if p.Wall != k.own && !strings.HasPrefix(p.Wall, k.own+".") {
		return // another's, whose group is the same
	}
	k.log.Add(p.Packet, p.sourcePort, at)
	k.dirty = true
}

// write replaces the file.
func (k *keeper) write() {
	k.written, k.dirty = time.Now(), false
	data, err := k.log.Encode()
	if err != nil {
		return
	}
	dir := int(k.dir.Fd())
	fd, err := unix.Openat(dir, partial, unix.O_CREAT|unix.O_TRUNC|unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return
	}
	f := os.NewFile(uintptr(fd), partial)
	_, err = f.Write(data)
	if err := errors.Join(err, f.Close()); err == nil {
		_ = unix.Renameat(dir, partial, dir, file)
	}
}

// Read reads the log in a folder. The error is fs.ErrNotExist where there is none.
func Read(path string) (*denied.Log, error) {
	dir, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return readIn(dir)
}

// readIn reads it as what anybody may have put there: no link is followed, no pipe
// waited for.
func readIn(dir *os.File) (*denied.Log, error) {
	fd, err := unix.Openat(int(dir.Fd()), file, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: dir.Name() + "/" + file, Err: err}
	}
	f := os.NewFile(uintptr(fd), file)
	defer f.Close()
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return nil, err
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFREG || stat.Nlink > 1 {
		return nil, &os.PathError{Op: "open", Path: dir.Name() + "/" + file, Err: errors.New("it is not a file, or not only there: remove it")}
	}
	data, err := io.ReadAll(io.LimitReader(f, denied.MaxSize+1))
	if err != nil {
		return nil, err
	}
	return denied.Decode(data)
}
