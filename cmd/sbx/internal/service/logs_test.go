package service

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/creack/pty"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/internal/logfile"
)

// What a service wrote gives a terminal no orders, unless somebody asks for it raw.
func TestServicesDoNotSpeakToTheTerminal(t *testing.T) {
	const text = "\x1b[31mred\x1b[0m\x1b]0;owned\x07\n"
	for _, c := range []struct {
		raw  bool
		want string
	}{{false, "red<U+001B>]0;owned<U+0007>\r\n"}, {true, strings.Replace(text, "\n", "\r\n", 1)}} {
		master, slave, err := pty.Open()
		if err != nil {
			t.Fatal(err)
		}
		defer master.Close()
		defer slave.Close()
		stdout, stderr := verb.RawFlag{Raw: c.raw}.Writers(&verb.App{Stdout: slave, Stderr: slave})
		for _, w := range []io.Writer{stdout, stderr} {
			if err := (&Logs{}).plain(w, io.Discard)(logfile.Line{Stream: "stdout", Text: strings.TrimSuffix(text, "\n")}); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(c.want))
			if _, err := io.ReadFull(master, got); err != nil || string(got) != c.want {
				t.Errorf("raw %t: %q, %v", c.raw, got, err)
			}
		}
	}
	var out bytes.Buffer
	if w, _ := (verb.RawFlag{}).Writers(&verb.App{Stdout: &out}); w != &out {
		t.Error("a pipe gets something else than what was written")
	}
}
