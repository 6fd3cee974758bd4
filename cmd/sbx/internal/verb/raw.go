package verb

import (
	"io"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/say"
	"github.com/sbx-dev/sbx/internal/plain"
)

// RawFlag is for the verbs that show what a service wrote.
type RawFlag struct {
	Raw bool `help:"Show what the service wrote as it is, also on a terminal, which it may give orders."`
}

// Writers are where what a service wrote is shown.
func (f RawFlag) Writers(a *App) (stdout, stderr io.Writer) {
	return f.writer(a.Stdout), f.writer(a.Stderr)
}

func (f RawFlag) writer(w io.Writer) io.Writer {
	if f.Raw || !say.IsTerminal(w) {
		return w
	}
	return &plain.Writer{W: w}
}
