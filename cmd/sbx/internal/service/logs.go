package service

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/internal/logfile"
)

// Logs shows a service's output.
type Logs struct {
	verb.HostFlags
	Follow bool   `short:"f" help:"Go on with what comes."`
	Since  string `placeholder:"TIME" help:"Only what is newer: a time like 2026-01-31T08:00:00Z, or a span like 10m."`
	Times  bool   `help:"Begin each line with its time."`
	JSON   bool   `help:"Print a JSON object a line: time, stream, text, and piece where the line goes on. Bytes that are not UTF-8 are U+FFFD there."`
	verb.RawFlag
	Name string `arg:"" help:"The sandbox, as sbx ps lists it."`
}

func (Logs) Help() string {
	return `Prints what the service of a sandbox wrote: its standard output here on standard
output, its standard error on standard error. The newest 12 to 16 MiB are kept,
also while the sandbox is stopped and started, until sbx down.

A service may be hostile: on a terminal, what would give that orders is shown by
number, and colours are left out; --raw shows all as it is. A file or a pipe gets
each byte as it was written.

Examples:
  sbx logs apache --since 10m
  sbx logs apache -f --json | jq -r .text`
}

func (c *Logs) Run(a *verb.App) error {
	since, err := parseSince(c.Since, time.Now())
	if err != nil {
		return err
	}
	host := c.Open(a)
	defer host.Close()
	stdout, stderr := c.Writers(a)
	show := c.plain(stdout, stderr)
	if c.JSON {
		e := json.NewEncoder(a.Stdout)
		e.SetEscapeHTML(false)
		show = func(l logfile.Line) error { return e.Encode(l) }
	}
	return watched(a, host.Logs(a.Ctx, c.Name, since, c.Follow, show))
}

func (c *Logs) plain(stdout, stderr io.Writer) func(logfile.Line) error {
	return func(l logfile.Line) error {
		w, text := stdout, l.Text
		if l.Stream == "stderr" {
			w = stderr
		}
		if c.Times {
			text = l.Time.Format(time.RFC3339Nano) + " " + text
		}
		if !l.Piece {
			text += "\n"
		}
		_, err := io.WriteString(w, text)
		return err
	}
}

// parseSince reads a time, or a span of time before now; nothing is all time.
func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if span, err := time.ParseDuration(text); err == nil {
		return now.Add(-span), nil
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return at, fmt.Errorf("--since %q is neither a span like 10m nor a time like 2026-01-31T08:00:00Z", text)
	}
	return at, nil
}
