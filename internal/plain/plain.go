// Package plain makes text of others safe to show: what a profile, a file's name or
// a sandbox holds may speak to a terminal, or to what reads a CI job's log.
package plain

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line is text on one line: tabs become spaces, and control characters, those that
// reorder text and what is not UTF-8 are shown by number. The beginning of a command
// to GitHub's runner ("::warning::") is shown by number, too.
func Line(text string) string { return noCommand(shown(text, false)) }

// Lines is Line for text of several lines.
func Lines(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = Line(lines[i])
	}
	return strings.Join(lines, "\n")
}

// Text is Lines with its tabs, for a patch that is to stay one.
func Text(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = noCommand(shown(lines[i], true))
	}
	return strings.Join(lines, "\n")
}

// noCommand breaks what the runner takes for a command where a line begins with it,
// whatever space is before.
func noCommand(line string) string {
	text := strings.TrimLeft(line, " \t")
	if strings.HasPrefix(text, "::") || strings.HasPrefix(text, "##[") {
		return line[:len(line)-len(text)] + number(rune(text[0])) + text[1:]
	}
	return line
}

func shown(text string, tabs bool) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\t' && tabs:
			b.WriteRune(r)
		case r == '\t':
			b.WriteString("    ")
		case Speaks(r):
			b.WriteString(number(r))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// Speaks says whether a terminal does something else with a character than show it.
func Speaks(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) || r == utf8.RuneError
}

func number(r rune) string { return fmt.Sprintf("<U+%04X>", r) }

// Writer shows a stream of a sandbox's on a terminal: line ends and tabs are kept,
// colours left out, and all else that speaks to the terminal is shown by number. A
// character that is cut by the end of a Write waits for the rest.
type Writer struct {
	W    io.Writer
	rest []byte // the beginning of a character or of a colour
}

// maxRest is the most bytes that a colour has; what is longer is none.
const maxRest = 64

// Write implements io.Writer.
func (w *Writer) Write(data []byte) (int, error) {
	text := string(append(w.rest, data...))
	var b strings.Builder
	for text != "" {
		size, whole := color(text)
		switch {
		case size > 0 && whole:
			text = text[size:]
			continue
		case size > 0 && len(text) < maxRest, !utf8.FullRuneInString(text):
			w.rest = []byte(text)
			return len(data), w.flush(&b)
		}
		r, n := utf8.DecodeRuneInString(text)
		switch {
		case r == '\r' && len(text) == 1:
			w.rest = []byte(text)
			return len(data), w.flush(&b)
		case r == '\r' && strings.HasPrefix(text, "\r\n"), r == '\n', r == '\t':
			b.WriteRune(r)
		case Speaks(r):
			b.WriteString(number(r))
		default:
			b.WriteRune(r)
		}
		text = text[n:]
	}
	w.rest = nil
	return len(data), w.flush(&b)
}

// Close shows what is left of a character that never became whole.
func (w *Writer) Close() error {
	text := shown(string(w.rest), true)
	w.rest = nil
	_, err := io.WriteString(w.W, text)
	return err
}

func (w *Writer) flush(b *strings.Builder) error {
	if b.Len() == 0 {
		return nil
	}
	_, err := io.WriteString(w.W, b.String())
	return err
}

// color finds a sequence at the beginning of text that sets colours (ECMA-48's SGR),
// or the beginning of one, which is not whole. Size is 0 where there is none.
func color(text string) (size int, whole bool) {
	if text[0] != 0x1b {
		return 0, false
	}
	for i := 1; i < len(text) && i < maxRest; i++ {
		switch c := text[i]; {
		case i == 1 && c == '[':
		case i > 1 && (c >= '0' && c <= '9' || c == ';' || c == ':'):
		case i > 1 && c == 'm':
			return i + 1, true
		default:
			return 0, false
		}
	}
	return len(text), false
}
