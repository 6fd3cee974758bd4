// Package say prints what is meant for people, so that what others have written speaks
// neither to their terminal nor to what reads the log of a CI job.
package say

import (
	"bytes"
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/sbx-dev/sbx/internal/plain"
)

// Own is text of sbx's own, of one line or several, with nothing in it that others
// have written.
type Own string

// Fprintf is fmt.Fprintf for a person's eyes. What others may have written, such as a
// name, a path or an error, speaks neither to a terminal nor to what reads a CI
// job's log; only errors have several lines.
func Fprintf(w io.Writer, format string, args ...any) (int, error) {
	return fmt.Fprintf(w, format, cleaned(args)...)
}

// Fprintln is fmt.Fprintln in the same way.
func Fprintln(w io.Writer, args ...any) (int, error) { return fmt.Fprintln(w, cleaned(args)...) }

// Row says the cells of a row of a tabwriter's table.
func Row(w io.Writer, cells ...string) (int, error) {
	for i := range cells {
		cells[i] = plain.Line(cells[i])
	}
	return fmt.Fprintln(w, strings.Join(cells, "\t"))
}

func cleaned(args []any) []any {
	out := make([]any, len(args))
	for i, a := range args {
		out[i] = clean(a)
	}
	return out
}

func clean(a any) any {
	switch v := a.(type) {
	case nil:
		return nil
	case Own:
		return string(v)
	case []byte:
		return plain.Line(string(v))
	case error:
		return plain.Lines(v.Error())
	case fmt.Stringer:
		return plain.Line(v.String())
	}
	switch kind := reflect.TypeOf(a).Kind(); {
	case kind >= reflect.Bool && kind <= reflect.Float64:
		return a
	}
	return plain.Line(fmt.Sprint(a))
}

// Lines says what a sandbox writes, line by line.
type Lines struct {
	w    io.Writer
	rest []byte
}

// longestLine bounds what is kept of a line that does not end.
const longestLine = 4096

// Write implements io.Writer.
func (l *Lines) Write(data []byte) (int, error) {
	l.rest = append(l.rest, data...)
	for {
		line, rest, ok := bytes.Cut(l.rest, []byte("\n"))
		if !ok && len(l.rest) < longestLine {
			return len(data), nil
		}
		if _, err := Fprintln(l.w, string(line)); err != nil {
			return 0, err
		}
		l.rest = rest
	}
}

// NewLines says to w.
func NewLines(w io.Writer) *Lines { return &Lines{w: w} }

// Flush says what has no end of line.
func (l *Lines) Flush() {
	if len(l.rest) > 0 {
		Fprintln(l.w, string(l.rest))
		l.rest = nil
	}
}
