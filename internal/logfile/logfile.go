// Package logfile keeps the output of a service in a few files of bounded size.
//
// A line of a file is a time, the stream, "F" for a full line or "P" for a piece
// of one, and the text: the format in which Kubernetes' container runtimes log.
package logfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/state"
)

// The bounds of a log on disk: files of fileSize bytes at most, give or take a
// line, the newest among them the one that is written.
const (
	fileSize = 4 << 20
	files    = 4
)

// stampLayout has a fixed width, so that lines are aligned and sort by time.
const stampLayout = "2006-01-02T15:04:05.000000000Z"

var streams = map[int]string{1: "stdout", 2: "stderr"}

// path is the file that is n rotations old.
func path(dir string, n int) string {
	name := filepath.Join(dir, "log")
	if n > 0 {
		name += "." + strconv.Itoa(n)
	}
	return name
}

// Ahead is how far a line may be ahead of this host's clock: as far as a machine's own
// may be.
const Ahead = time.Minute

// MaxFile is more than any file of a log has, for whoever bounds what a writer may
// write.
const MaxFile = 2 * fileSize

// Writer appends to a log. One process at a time may.
type Writer struct {
	dir   *os.File
	owner int
	f     *os.File
	size  int64
	last  time.Time
}

// Make makes the log's folder where it is missing, gives it and the log in it to a
// user and its group, and opens it. That user may have put anything there: what is not
// a file of its own is refused, and so is a folder of a third user's.
func Make(path string, owner int) (*os.File, error) {
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	dir, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	if err := give(dir, owner); err != nil {
		dir.Close()
		return nil, err
	}
	return dir, nil
}

// give gives away the folder and the files of a log that an earlier sbx has made for
// root.
func give(dir *os.File, owner int) error {
	for n := range files {
		f, err := openIn(dir, n, os.O_RDONLY)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = giveFile(f, owner)
			f.Close()
		}
		if err != nil {
			return err
		}
	}
	if err := dir.Chmod(0o700); err != nil { // whatever the umask
		return err
	}
	return giveFile(dir, owner)
}

// giveFile gives an open file away, unless a third user has it.
func giveFile(f *os.File, owner int) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	switch has := int(info.Sys().(*syscall.Stat_t).Uid); has {
	case owner:
		return nil
	case os.Geteuid():
		return f.Chown(owner, owner)
	default:
		return &state.Problem{Path: f.Name(), What: fmt.Sprintf("belongs to user %d, and not to who writes the log", has), Mend: "look at what is in it, and move it away"}
	}
}

// openIn opens the file that is n rotations old. Whoever writes the log can put there
// what it wants: a link is not followed, a pipe not waited for, and nothing that has
// another name elsewhere is taken for a file of the log.
func openIn(dir *os.File, n int, flags int) (*os.File, error) {
	name := path("", n)
	shown := filepath.Join(dir.Name(), name)
	fd, err := unix.Openat(int(dir.Fd()), name, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0o600)
	if err == unix.ELOOP || err == unix.ENXIO {
		return nil, noFile(shown)
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: shown, Err: err}
	}
	f := os.NewFile(uintptr(fd), shown)
	info, err := f.Stat()
	if err == nil && (!info.Mode().IsRegular() || info.Sys().(*syscall.Stat_t).Nlink > 1) {
		err = noFile(shown)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// noFile is why something in the log's folder is left alone.
func noFile(path string) error {
	return &state.Problem{Path: path, What: "is not a file, or not only there: a log that leads elsewhere is neither read nor written", Mend: "remove it"}
}

// NewWriter opens the log in a folder of Make's. New files belong to the owner, who
// alone can read them.
func NewWriter(dir *os.File, owner int) (*Writer, error) {
	w := &Writer{dir: dir, owner: owner}
	if err := w.findLast(); err != nil {
		return nil, err
	}
	return w, w.open()
}

// findLast finds the time of the newest line. One of the future says nothing of what
// is older: the clock has been set back since.
func (w *Writer) findLast() error {
	for n := range files {
		f, err := openIn(w.dir, n, os.O_RDONLY)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		data, err := io.ReadAll(io.LimitReader(f, MaxFile))
		f.Close()
		if err != nil {
			return err
		}
		lines := bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
		if l, err := parse(lines[len(lines)-1]); err == nil {
			if !l.Time.After(time.Now().Add(Ahead)) {
				w.last = l.Time
			}
			return nil
		}
	}
	return nil
}

func (w *Writer) open() (err error) {
	if w.f, err = openIn(w.dir, 0, os.O_CREATE|os.O_APPEND|os.O_WRONLY); err != nil {
		return err
	}
	if err := giveFile(w.f, w.owner); err != nil {
		return err
	}
	w.size, err = w.f.Seek(0, io.SeekEnd)
	return err
}

// Last is the time of the newest line that was there when the log was opened; zero
// where there was none, or none that is older than what comes now.
func (w *Writer) Last() time.Time { return w.last }

// Write appends output of stream 1 or 2. Each line of it is a line of the log;
// what ends without a newline is a piece.
func (w *Writer) Write(at time.Time, stream int, data []byte) error {
	for len(data) > 0 {
		text, rest, full := bytes.Cut(data, []byte("\n"))
		flag := "P"
		if full {
			flag = "F"
		}
		line := fmt.Appendf(nil, "%s %s %s %s\n", at.UTC().Format(stampLayout), streams[stream], flag, text)
		if err := w.append(line); err != nil {
			return err
		}
		data = rest
	}
	return nil
}

func (w *Writer) append(line []byte) error {
	if w.size > 0 && w.size+int64(len(line)) > fileSize {
		if err := w.rotate(); err != nil {
			return err
		}
	}
	n, err := w.f.Write(line)
	w.size += int64(n)
	return err
}

// rotate makes the present file the first old one; the oldest is replaced.
func (w *Writer) rotate() error {
	if err := w.f.Close(); err != nil {
		return err
	}
	for n := files - 2; n >= 0; n-- {
		dir := int(w.dir.Fd())
		if err := unix.Renameat(dir, path("", n), dir, path("", n+1)); err != nil && err != unix.ENOENT {
			return &os.PathError{Op: "rename", Path: path(w.dir.Name(), n), Err: err}
		}
	}
	return w.open()
}

// Close ends writing.
func (w *Writer) Close() error { return w.f.Close() }
