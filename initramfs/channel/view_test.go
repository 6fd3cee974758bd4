package channel

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
)

// screen answers for a display as the handler given does, and for all else as cat.
func screen(view Handler) Handler {
	return func(r Request, s *Stream) {
		if r.Op == OpDisplay {
			view(r, s)
			return
		}
		cat(r, s)
	}
}

func TestAViewerSeesAndIsHeard(t *testing.T) {
	c := connect(t, screen(func(r Request, s *Stream) {
		_ = s.Send(KindStarted, nil)
		f, err := s.Receive()
		if err != nil || f.Kind != KindStdin || !r.Shared {
			t.Errorf("got %v, %v, shared %v", f, err, r.Shared)
		}
		_ = s.Send(KindStdout, append([]byte("seen: "), f.Payload...))
		_, _ = s.Receive() // until the viewer has gone
	}))
	ours, theirs := net.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- c.View(t.Context(), true, theirs) }()
	if _, err := ours.Write([]byte("a key")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len("seen: a key"))
	if _, err := io.ReadFull(ours, got); err != nil || string(got) != "seen: a key" {
		t.Errorf("got %q, %v", got, err)
	}
	ours.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// How a screen ends is told to its viewer, whose connection ends.
func TestTheEndOfAScreen(t *testing.T) {
	for _, test := range []struct {
		what string
		view Handler
		want string
	}{
		{"the sandbox ends", func(_ Request, s *Stream) { _ = s.Send(KindStarted, nil); _ = s.Send(KindDone, nil) }, ""},
		{"there is none", func(_ Request, s *Stream) { _ = s.Fail(ReasonRefused, "no display") }, "no display"},
		{"its server dies", func(_ Request, s *Stream) { _ = s.Send(KindStarted, nil); _ = s.Fail(ReasonFailed, "killed\x1b") }, `killed\x1b`},
		{"another frame", func(_ Request, s *Stream) { _ = s.Send(KindStarted, nil); _ = s.Send(KindExit, nil) }, "kind 37"},
		{"not a word", func(_ Request, s *Stream) { _ = s.Send(KindStarted, nil) }, "lost"},
	} {
		ours, theirs := net.Pipe()
		err := connect(t, screen(test.view)).View(t.Context(), false, theirs)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", test.what, err, test.want)
		}
		if _, err := ours.Read(make([]byte, 1)); err == nil {
			t.Errorf("%s: the viewer is still connected", test.what)
		}
	}
}

// A guest that floods a viewer who takes nothing, and takes nothing from one who
// floods it, holds nobody else's streams.
func TestAScreenHoldsNobodyElse(t *testing.T) {
	c := connect(t, screen(func(_ Request, s *Stream) {
		block := make([]byte, MaxPayload)
		for s.Send(KindStarted, nil) == nil {
			for s.Send(KindStdout, block) == nil {
			}
		}
	}))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	ours, theirs := net.Pipe()
	defer ours.Close()
	go func() { ended <- c.View(ctx, false, theirs) }()
	go func() {
		block := make([]byte, 1<<20)
		for {
			if _, err := ours.Write(block); err != nil {
				return
			}
		}
	}()
	if _, err := ours.Read(make([]byte, 1)); err != nil { // the flood has begun
		t.Fatal(err)
	}
	for range 20 {
		var out strings.Builder
		exit, err := c.Exec(t.Context(), Command{}, Stdio{Stdin: strings.NewReader("x"), Stdout: &out})
		if err != nil || exit.Code != 7 || out.String() != "x" {
			t.Fatalf("got %v, %v, %q", exit, err, out.String())
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
