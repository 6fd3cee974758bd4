package say

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestSayf(t *testing.T) {
	var out bytes.Buffer
	Fprintf(&out, "%s %d %v %v %-4s|%s", "a\n::error::b", 3, errors.New("one\n::two"), time.Second, "x", []string{"\x1b"})
	Fprintln(&out, Own("\na\n"), nil)
	if want := "a<U+000A>::error::b 3 one\n<U+003A>:two 1s x   |[<U+001B>]\na\n <nil>\n"; out.String() != want {
		t.Errorf("%q", out.String())
	}
}

// What a sandbox's tar complains of comes out as lines of text.
func TestLineSayer(t *testing.T) {
	var out bytes.Buffer
	l := Lines{w: &out}
	for _, part := range []string{"tar: \x1b]0;x\x07\n::war", "ning::\nrest", strings.Repeat("x", 2*longestLine)} {
		if n, err := l.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	l.Flush()
	lines := strings.Split(out.String(), "\n")
	if lines[0] != "tar: <U+001B>]0;x<U+0007>" || lines[1] != "<U+003A>:warning::" || strings.Contains(out.String(), "\x1b") {
		t.Errorf("%.200q", out.String())
	}
}
