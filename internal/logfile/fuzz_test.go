package logfile

import (
	"strings"
	"testing"
)

// FuzzParse reads any line at all as one of a log. What it takes has the text as it
// was written.
func FuzzParse(f *testing.F) {
	for _, line := range []string{"2026-01-31T08:00:00.000000000Z stdout F hello", "2026-01-31T08:00:00.000000000Z stderr P ", "", "a b c d"} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		l, err := parse(line)
		if err == nil && !strings.HasSuffix(string(line), " "+l.Text) {
			t.Errorf("%q became %+v", line, l)
		}
	})
}
