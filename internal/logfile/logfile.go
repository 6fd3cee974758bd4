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

// Writer appends to a log. One process at a time may.
type Writer struct {
	dir  string
	f    *os.File
	size int64
	last time.Time
}

// NewWriter opens the log in dir, which is made if it is not there. Root alone
// can read it.
func NewWriter(dir string) (*Writer, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	w := &Writer{dir: dir}
	if err := w.findLast(); err != nil {
		return nil, err
	}
	return w, w.open()
}

// findLast finds the time of the newest line. One of the future says nothing of what
// is older: the clock has been set back since.
func (w *Writer) findLast() error {
	for n := range files {
		data, err := os.ReadFile(path(w.dir, n))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		lines := bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
		if l, err := parse(lines[len(lines)-1]); err == nil {
			if !l.Time.After(time.Now()) {
				w.last = l.Time
			}
			return nil
		}
	}
	return nil
}

// open follows no link: a keeper writes as root what a sandbox says.
func (w *Writer) open() (err error) {
	if w.f, err = os.OpenFile(path(w.dir, 0), os.O_CREATE|os.O_APPEND|os.O_WRONLY|syscall.O_NOFOLLOW, 0o600); err != nil {
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
		if err := os.Rename(path(w.dir, n), path(w.dir, n+1)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return w.open()
}

// Close ends writing.
func (w *Writer) Close() error { return w.f.Close() }
