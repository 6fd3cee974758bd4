package say

import (
	"io"
	"os"

	"golang.org/x/term"
)

// Colorful reports whether w is a terminal whose user did not ask for plain text
// (https://no-color.org).
func Colorful(w io.Writer) bool { return os.Getenv("NO_COLOR") == "" && IsTerminal(w) }

func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
