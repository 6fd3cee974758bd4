package main

import (
	"bytes"
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/sbx-dev/sbx/internal/plain"
)

// own is text of sbx's own, of one line or several, with nothing in it that others
// have written.
type own string

// sayf is fmt.Fprintf for a person's eyes. What others may have written, such as a
// name, a path or an error, speaks neither to a terminal nor to what reads a CI
// job's log; only errors have several lines.
func sayf(w io.Writer, format string, args ...any) (int, error) {
	return fmt.Fprintf(w, format, cleaned(args)...)
}

// sayln is fmt.Fprintln in the same way.
func sayln(w io.Writer, args ...any) (int, error) { return fmt.Fprintln(w, cleaned(args)...) }

// sayRow says the cells of a row of a tabwriter's table.
func sayRow(w io.Writer, cells ...string) (int, error) {
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
	case own:
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

// lineSayer says what a sandbox writes, line by line.
type lineSayer struct {
	w    io.Writer
	rest []byte
}

// longestLine bounds what is kept of a line that does not end.
const longestLine = 4096

// Write implements io.Writer.
func (l *lineSayer) Write(data []byte) (int, error) {
	l.rest = append(l.rest, data...)
	for {
		line, rest, ok := bytes.Cut(l.rest, []byte("\n"))
		if !ok && len(l.rest) < longestLine {
			return len(data), nil
		}
		if _, err := sayln(l.w, string(line)); err != nil {
			return 0, err
		}
		l.rest = rest
	}
}

// newLineSayer says to w.
func newLineSayer(w io.Writer) *lineSayer { return &lineSayer{w: w} }

// flush says what has no end of line.
func (l *lineSayer) flush() {
	if len(l.rest) > 0 {
		sayln(l.w, string(l.rest))
		l.rest = nil
	}
}
