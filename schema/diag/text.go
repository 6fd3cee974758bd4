package diag

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/sbx-dev/sbx/internal/plain"
)

// Relative gives the list with the files named as someone in folder dir would,
// where that is known.
func (l List) Relative(dir string) List {
	out := make(List, len(l))
	for i, d := range l {
		c := *d
		c.Pos = c.Pos.relative(dir)
		c.Notes = make([]Note, len(d.Notes))
		for j, n := range d.Notes {
			c.Notes[j] = Note{Pos: n.Pos.relative(dir), Message: n.Message}
		}
		out[i] = &c
	}
	return out
}

func (p Pos) relative(dir string) Pos {
	if p.Dir == "" || p.File == "" || filepath.IsAbs(p.File) {
		return p
	}
	abs := filepath.Join(p.Dir, p.File)
	if rel, err := filepath.Rel(dir, abs); err == nil && !strings.HasPrefix(rel, "../../..") {
		p.File = rel
	} else {
		p.File = abs
	}
	p.Dir = dir
	return p
}

// Style is how Text writes.
type Style struct {
	Color bool
}

const (
	red    = "\x1b[1;31m"
	yellow = "\x1b[1;33m"
	blue   = "\x1b[1;34m"
	bold   = "\x1b[1m"
	reset  = "\x1b[0m"
)

func (s Style) paint(color, text string) string {
	if !s.Color || text == "" {
		return text
	}
	return color + text + reset
}

// Text writes the list for a person: each with the source line it is about, the
// other places it has to do with, and what to do.
func Text(w io.Writer, l List, s Style) error {
	b := bufio.NewWriter(w)
	for i, d := range l {
		if i > 0 {
			b.WriteByte('\n')
		}
		s.diagnostic(b, d)
	}
	return b.Flush()
}

func (s Style) diagnostic(b *bufio.Writer, d *Diagnostic) {
	color := red
	if d.Severity == Warning {
		color = yellow
	}
	fmt.Fprintf(b, "%s: %s: ", s.paint(bold, plain.Line(d.Pos.String())), s.paint(color, fmt.Sprintf("%s[%s]", d.Severity, d.Code)))
	if d.Path != "" {
		fmt.Fprintf(b, "%s: ", plain.Line(d.Path))
	}
	fmt.Fprintln(b, plain.Line(d.Message))
	s.snippet(b, d.Pos, color)
	for _, n := range d.Notes {
		fmt.Fprintf(b, "%s: %s: %s\n", plain.Line(n.Pos.String()), s.paint(blue, "note"), plain.Line(n.Message))
		s.snippet(b, n.Pos, blue)
	}
	if d.Help != "" {
		fmt.Fprintf(b, "  %s: %s\n", s.paint(blue, "help"), plain.Line(d.Help))
	}
}

// snippet writes the source line of a place with its span underlined.
func (s Style) snippet(b *bufio.Writer, p Pos, color string) {
	line, ok := p.line()
	if !ok {
		return
	}
	number := fmt.Sprint(p.Line)
	gutter := strings.Repeat(" ", len(number))
	start := min(p.Column-1, len(line))
	end := len(strings.TrimRight(line, " \t"))
	if p.End > p.Column {
		end = min(p.End-1, len(line))
	}
	before, span := plain.Line(line[:start]), plain.Line(line[start:max(start, end)])
	line, before, width := window(plain.Line(line), before, max(1, len([]rune(span))))
	fmt.Fprintf(b, " %s | %s\n", s.paint(blue, number), line)
	fmt.Fprintf(b, " %s | %s%s\n", gutter, strings.Repeat(" ", len([]rune(before))), s.paint(color, strings.Repeat("^", width)))
}

// window cuts a line that is wider than a screen to the part around its span.
func window(line, before string, width int) (string, string, int) {
	const most = 160
	runes := []rune(line)
	if len(runes) <= most {
		return line, before, width
	}
	start := len([]rune(before))
	from := max(0, start-40)
	to := min(len(runes), from+most)
	return string(runes[from:to]), string(runes[from:start]), min(width, to-start)
}

// maxSource bounds how much of a file is read for its lines.
const maxSource = 1 << 20

// line reads the source line of a place; ok is false where there is none.
func (p Pos) line() (text string, ok bool) {
	if p.Dir == "" || p.Line == 0 || p.Column == 0 {
		return "", false
	}
	name := p.File
	if !filepath.IsAbs(name) {
		name = filepath.Join(p.Dir, name)
	}
	if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() || info.Size() > maxSource {
		return "", false
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return "", false
	}
	lines := strings.Split(string(data), "\n")
	if p.Line > len(lines) {
		return "", false
	}
	return strings.TrimSuffix(lines[p.Line-1], "\r"), true
}
