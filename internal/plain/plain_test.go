package plain_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sbx-dev/sbx/internal/plain"
)

func TestLine(t *testing.T) {
	for text, want := range map[string]string{
		"web.cue":              "web.cue",
		"naïve — 日本":           "naïve — 日本",
		"a\tb":                 "a    b",
		"\x1b]0;title\x07":     "<U+001B>]0;title<U+0007>",
		"a\n::error::no":       "a<U+000A>::error::no",
		"::warning file=x::y":  "<U+003A>:warning file=x::y",
		"  ::stop-commands::x": "  <U+003A>:stop-commands::x",
		"##[error]no":          "<U+0023>#[error]no",
		"fd00::1":              "fd00::1",
		"abc\u202edcb":         "abc<U+202E>dcb",
		"\u2028":               "<U+2028>",
		"\x9b2J":               "<U+FFFD>2J",
		"\u009b2J":             "<U+009B>2J",
	} {
		if got := plain.Line(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if got := plain.Text("+\ta\n \t::x\x1b\n"); got != "+\ta\n \t<U+003A>:x<U+001B>\n" {
		t.Errorf("Text: %q", got)
	}
	if got := plain.Lines("a\n ::x\n\x1bb"); got != "a\n <U+003A>:x\n<U+001B>b" {
		t.Errorf("Lines: %q", got)
	}
}

// A stream comes out the same however it is cut.
func TestWriterAtEveryCut(t *testing.T) {
	const text = "a\x1b[1;31mred\x1b[0m\r\n50%\r60%\n\ttab \u00e9 \x1b]52;c;aGk=\x07 \x1b[2J \u202e \xff \x1b["
	const want = "ared\r\n50%<U+000D>60%\n\ttab \u00e9 <U+001B>]52;c;aGk=<U+0007> <U+001B>[2J <U+202E> <U+FFFD> <U+001B>["
	for cut := range len(text) + 1 {
		var out bytes.Buffer
		w := plain.Writer{W: &out}
		for _, part := range []string{text[:cut], text[cut:]} {
			if n, err := w.Write([]byte(part)); n != len(part) || err != nil {
				t.Fatal(n, err)
			}
		}
		if err := w.Close(); err != nil || out.String() != want {
			t.Errorf("cut at %d: %q, %v", cut, out.String(), err)
		}
	}
}

func FuzzWriter(f *testing.F) {
	f.Add("a\x1b[31mb\x1b[0m\n", 3)
	f.Add("\x1b["+strings.Repeat("1;", 100)+"m", 50)
	f.Add("\xf0\x9f", 1)
	f.Fuzz(func(t *testing.T, text string, cut int) {
		cut = min(max(cut, 0), len(text))
		var out bytes.Buffer
		w := plain.Writer{W: &out}
		w.Write([]byte(text[:cut]))
		w.Write([]byte(text[cut:]))
		w.Close()
		shown := strings.NewReplacer("\r\n", "", "\n", "", "\t", "").Replace(out.String())
		if !utf8.ValidString(shown) || strings.ContainsFunc(shown, plain.Speaks) {
			t.Errorf("%q became %q", text, out.String())
		}
		if strings.ContainsFunc(plain.Line(text), plain.Speaks) {
			t.Errorf("Line(%q) = %q", text, plain.Line(text))
		}
	})
}
