package logfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// poll is how often a followed log is looked at for more.
const poll = 50 * time.Millisecond

// Line is one line of a service's output, or a piece of a long or unfinished
// one.
type Line struct {
	Time   time.Time `json:"time"`
	Stream string    `json:"stream"` // "stdout" or "stderr"
	Text   string    `json:"text"`
	Piece  bool      `json:"piece,omitempty"` // the line goes on
}

// parse reads a line of a file.
func parse(line []byte) (l Line, err error) {
	fields := bytes.SplitN(line, []byte(" "), 4)
	if len(fields) != 4 {
		return l, fmt.Errorf("the line %q is not one of a log", line)
	}
	l.Time, err = time.Parse(stampLayout, string(fields[0]))
	l.Stream, l.Piece, l.Text = string(fields[1]), string(fields[2]) == "P", string(fields[3])
	return l, err
}

// Read calls see with the lines of the log in dir from since on, the oldest
// first; with follow it goes on until ctx ends, through rotations. A log that
// does not exist has no lines.
func Read(ctx context.Context, dir string, since time.Time, follow bool, see func(Line) error) error {
	r := reader{dir: dir, since: since, see: see}
	defer r.close()
	for {
		if err := r.readAll(); err != nil {
			return err
		}
		if !follow {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(poll):
		}
	}
}

// reader goes from the oldest file to the newest and waits there.
type reader struct {
	dir   string
	since time.Time
	see   func(Line) error
	f     *os.File // nil before the first
	half  []byte   // the beginning of a line that is not there whole yet
}

func (r *reader) close() {
	if r.f != nil {
		r.f.Close()
	}
}

// readAll reads all that there is now.
func (r *reader) readAll() error {
	for {
		newer, err := r.newer()
		if err != nil {
			return err
		}
		// A file that has a newer one is complete, and one more look at it
		// finds the rest.
		if err := r.readFile(); err != nil || newer == nil {
			return err
		}
		r.close()
		r.f, r.half = newer, nil
	}
}

// newer opens the file after the present one; nil when there is none yet.
func (r *reader) newer() (*os.File, error) {
	n := files
	if r.f != nil {
		var err error
		if n, err = r.age(); err != nil {
			return nil, err
		}
	}
	for n--; n >= 0; n-- {
		f, err := openLog(r.dir, n)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
	}
	return nil, nil
}

// openLog opens a file of the log, which is somebody else's to write.
func openLog(path string, n int) (*os.File, error) {
	dir, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return openIn(dir, n, os.O_RDONLY)
}

// age is how many rotations old the present file is; one that is gone is older
// than all.
func (r *reader) age() (int, error) {
	own, err := r.f.Stat()
	if err != nil {
		return 0, err
	}
	for n := range files {
		if info, err := os.Lstat(path(r.dir, n)); err == nil && os.SameFile(own, info) {
			return n, nil
		}
	}
	return files, nil
}

func (r *reader) readFile() error {
	if r.f == nil {
		return nil
	}
	data, err := io.ReadAll(io.LimitReader(r.f, MaxFile))
	if err != nil {
		return err
	}
	data = append(r.half, data...)
	for {
		line, rest, full := bytes.Cut(data, []byte("\n"))
		if !full {
			r.half = bytes.Clone(data)
			return nil
		}
		data = rest
		l, err := parse(line)
		if err != nil || l.Time.Before(r.since) {
			continue // a line that a crash has cut, or an old one
		}
		if err := r.see(l); err != nil {
			return err
		}
	}
}
