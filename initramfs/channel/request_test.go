package channel

import (
	"errors"
	"net"
	"reflect"
	"strings"
	"testing"
)

// TestACommandArrivesByteForByte sends what JSON would change and what one frame
// does not hold, straight and by way of a process that shares its channel.
func TestACommandArrivesByteForByte(t *testing.T) {
	every := make([]byte, 255)
	for i := range every {
		every[i] = byte(i + 1)
	}
	commands := map[string]Command{
		"no UTF-8": {Argv: []string{"cat", "\xff\xfe", "caf\xe9", string(every)}, Env: []string{"A=\x80", "\xffB=1"}, Workdir: "/\xff", User: "\xe9"},
		"empty":    {Argv: []string{""}, Env: []string{"", ""}},
		"nothing":  {},
		"much":     {Argv: append([]string{"true"}, many(2<<20, 128<<10-1)...), Env: many(4<<20, 10)},
	}
	seen := make(chan Command, 1)
	owner := connect(t, func(r Request, s *Stream) {
		seen <- *r.Command
		_ = s.Fail(ReasonNotFound, "no \xff")
	})
	l, err := net.Listen("unix", t.TempDir()+"/shared")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go owner.Share(l)
	conn, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for way, c := range map[string]*Client{"straight": owner, "shared": dial(t, conn)} {
		for name, want := range commands {
			_, err := c.Exec(t.Context(), want, Stdio{})
			var failure *Failure
			if !errors.As(err, &failure) || failure.Message != `no \xff` {
				t.Errorf("%s, %s: the failure arrived as %v", way, name, err)
			}
			if got := <-seen; !same(got, want) {
				t.Errorf("%s, %s: it arrived changed", way, name)
			}
		}
	}
}

// many are strings of the given length, of total bytes together.
func many(total, length int) (list []string) {
	for range total / length {
		list = append(list, strings.Repeat("x", length))
	}
	return list
}

func same(a, b Command) bool {
	return a.Workdir == b.Workdir && a.User == b.User &&
		len(a.Argv) == len(b.Argv) && len(a.Env) == len(b.Env) &&
		reflect.DeepEqual(append([]string{}, a.Argv...), append([]string{}, b.Argv...)) &&
		reflect.DeepEqual(append([]string{}, a.Env...), append([]string{}, b.Env...))
}

// TestACommandThatNoKernelRuns is refused before it is sent.
func TestACommandThatNoKernelRuns(t *testing.T) {
	c := connect(t, func(Request, *Stream) { t.Error("it was sent") })
	for name, want := range map[string]struct {
		command Command
		reason  Reason
		message string
	}{
		"too long": {Command{Argv: many(9<<20, 1<<10)}, ReasonNotExecutable, "the argument list is too long: arguments and variables are 9446402 bytes, and no kernel takes more than 8388608"},
		"a NUL":    {Command{Argv: []string{"a\x00b"}}, ReasonRefused, `"a\x00b" holds a NUL byte, and nothing that a program is started with can`},
	} {
		_, err := c.Exec(t.Context(), want.command, Stdio{})
		var failure *Failure
		if !errors.As(err, &failure) || failure.Reason != want.reason || failure.Message != want.message {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestABrokenRequestIsRefused is about bounds: a peer may not fill the memory of
// the process that shares a channel, or have it read what is not there.
func TestABrokenRequestIsRefused(t *testing.T) {
	c := connect(t, func(Request, *Stream) { t.Error("it was handled") })
	part := make([]byte, MaxPayload)
	for name, send := range map[string]func(*stream) error{
		"endless strings": func(s *stream) (err error) {
			for sent := 0; sent <= maxStrings && err == nil; sent += len(part) {
				err = writeFrame(s, KindStrings, part)
			}
			return err
		},
		"no strings":             func(s *stream) error { return writeFrame(s, KindRequest, []byte(`{"op":"exec","command":{}}`)) },
		"too few strings":        func(s *stream) error { return announce(s, "a\x00b\x00", 1) },
		"fewer than none":        func(s *stream) error { return announce(s, "a\x00b\x00c\x00", -1) },
		"strings without an end": func(s *stream) error { return announce(s, "a\x00b\x00c", 1) },
		"no JSON":                func(s *stream) error { return writeFrame(s, KindRequest, []byte(`{`)) },
		"another frame":          func(s *stream) error { return writeFrame(s, KindStdin, nil) },
	} {
		opened, err := c.mux.OpenStream()
		if err != nil {
			t.Fatal(err)
		}
		s := &stream{opened, frameReader{r: opened}}
		if err := send(s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if f, err := s.reply(); err != nil || f.Kind != KindFailed {
			t.Errorf("%s: got %v, %v", name, f.Kind, err)
		}
		s.Close()
	}
}

func announce(s *stream, strings string, args int) error {
	if err := writeFrame(s, KindStrings, []byte(strings)); err != nil {
		return err
	}
	return writeJSON(s, KindRequest, wireRequest{Request{Op: OpExec, Command: &Command{}}, args})
}

// TestAGuestTakesNoMoreThanItWasSent is about a standard input that is taken from
// whoever reads it next: a guest cannot have more of it taken than it got.
func TestAGuestTakesNoMoreThanItWasSent(t *testing.T) {
	for name, totals := range map[string][]uint64{"more": {6}, "less than before": {3, 2}, "all there is": {1<<64 - 1}} {
		t.Run(name, func(t *testing.T) {
			c := connect(t, func(_ Request, s *Stream) {
				_ = s.Send(KindStarted, nil)
				if _, err := s.Receive(); err != nil {
					t.Error(err)
				}
				for _, total := range totals {
					_ = s.SendTaken(total)
				}
				_, _ = s.Receive()
			})
			in := &countedInput{Reader: strings.NewReader("input")}
			if _, err := c.Exec(t.Context(), Command{}, Stdio{Stdin: in}); err != errTaken {
				t.Errorf("got %v", err)
			}
			if in.taken > 5 {
				t.Errorf("%d bytes were taken of 5", in.taken)
			}
		})
	}
}

type countedInput struct {
	*strings.Reader
	taken int
}

func (c *countedInput) Take(n int) { c.taken += n }
