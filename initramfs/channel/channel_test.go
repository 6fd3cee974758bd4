package channel

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// pipe is a byte stream between a host and a guest, a real unix socket as in a
// container.
func pipe(t testing.TB) (host, guest net.Conn) {
	t.Helper()
	l, err := net.Listen("unix", t.TempDir()+"/s")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	host, err = net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	guest, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { host.Close(); guest.Close() })
	return host, guest
}

func dial(t testing.TB, conn net.Conn) *Client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, err := Dial(ctx, conn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// connect serves handle at one end of a stream and dials the other.
func connect(t testing.TB, handle Handler) *Client {
	t.Helper()
	host, guest := pipe(t)
	served := make(chan error, 1)
	go func() { served <- Serve(guest, handle) }()
	c := dial(t, host)
	t.Cleanup(func() {
		c.Close()
		<-served
	})
	return c
}

// cat is a command that repeats its standard input on both outputs and exits
// with 7.
func cat(_ Request, s *Stream) {
	_ = s.Send(KindStarted, nil)
	taken := 0
	for {
		f, err := s.Receive()
		switch {
		case err != nil:
			return
		case f.Kind == KindStdin:
			_ = s.Send(KindStdout, f.Payload)
			_ = s.Send(KindStderr, f.Payload)
			taken += len(f.Payload)
			_ = s.SendTaken(uint64(taken))
		case f.Kind == KindStdinEOF:
			_ = s.SendJSON(KindExit, Exit{Code: 7})
			return
		}
	}
}

func TestASessionKeepsItsStreamsApart(t *testing.T) {
	c := connect(t, cat)
	in := strings.Repeat("0123456789abcdef", 1<<16)
	var stdout, stderr bytes.Buffer
	exit, err := c.Exec(t.Context(), Command{Argv: []string{"cat"}},
		Stdio{Stdin: strings.NewReader(in), Stdout: &stdout, Stderr: &stderr})
	if err != nil || exit.Status() != 7 {
		t.Fatalf("got %v, %v", exit, err)
	}
	if stdout.String() != in || stderr.String() != in {
		t.Errorf("%d and %d bytes came back of %d", stdout.Len(), stderr.Len(), len(in))
	}
}

func TestANewHostReplacesOneThatDiedInTheMidstOfAFrame(t *testing.T) {
	host, guest := pipe(t)
	go Serve(guest, cat)
	first := dial(t, stays{host})
	// Half a frame of 60,000 bytes, then the next host on the same stream.
	header := []byte{0, muxData, 0, 0, 0, 0, 0, 1, 0, 0, 0xea, 0x60}
	if _, err := host.Write(append(header, "half"...)); err != nil {
		t.Fatal(err)
	}
	host.SetReadDeadline(time.Unix(1, 0)) // the first host's reading end dies
	<-first.Done()
	host.SetReadDeadline(time.Time{})
	second := dial(t, host)
	exit, err := second.Exec(t.Context(), Command{}, Stdio{Stdin: strings.NewReader("x")})
	if err != nil || exit.Code != 7 {
		t.Fatalf("got %v, %v", exit, err)
	}
}

// stays is a connection that outlives its host, as a machine's port does.
type stays struct{ net.Conn }

func (stays) Close() error { return nil }

func TestAGuestThatNeverAnswersIsGivenUp(t *testing.T) {
	host, guest := pipe(t)
	go io.Copy(io.Discard, guest)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Dial(ctx, host); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
}

func TestAFloodInPlaceOfAGreetingIsGivenUp(t *testing.T) {
	host, guest := pipe(t)
	go io.Copy(io.Discard, guest)
	go func() {
		block := make([]byte, 1<<16)
		for {
			if _, err := guest.Write(block); err != nil {
				return
			}
		}
	}()
	if _, err := Dial(t.Context(), host); !errors.Is(err, errStale) {
		t.Fatalf("got %v", err)
	}
}

func TestTheOtherVersionIsNamed(t *testing.T) {
	host, guest := pipe(t)
	go func() {
		in := bufio.NewReader(guest)
		_, _, n, _ := findGreeting(in, hostMagic, 1<<30)
		guest.Write(append(append(bytes.Clone(guestMagic), 0, 99), n[:]...))
	}()
	_, err := Dial(t.Context(), host)
	if err == nil || !strings.Contains(err.Error(), "version 99") {
		t.Fatalf("got %v", err)
	}
}

func TestAnOutputThatNobodyReadsIsClosedInTheGuest(t *testing.T) {
	closed := make(chan byte, 1)
	c := connect(t, func(_ Request, s *Stream) {
		_ = s.Send(KindStarted, nil)
		_ = s.Send(KindStdout, []byte("one"))
		f, err := s.Receive()
		if err != nil || f.Kind != KindCloseOutput {
			t.Errorf("got %v, %v", f, err)
			return
		}
		closed <- f.Payload[0]
		_ = s.SendJSON(KindExit, Exit{Signal: 13})
	})
	exit, err := c.Exec(t.Context(), Command{}, Stdio{Stdout: brokenPipe{}})
	if err != nil || exit.Status() != 141 {
		t.Fatalf("got %v, %v", exit, err)
	}
	if n := <-closed; n != 1 {
		t.Errorf("output %d was closed", n)
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestStatusIsCleaned(t *testing.T) {
	c := connect(t, func(_ Request, s *Stream) {
		_ = s.SendStatus(Status{State: Ended, Exit: &Exit{Code: 3}, Message: "\x1b]0;owned\a", Reason: "\x1b", Leases: []string{"fe80::1%\x1b]0;owned\a", "10.0.0.5", "", "0.0.0.0", "::FFFF:10.0.0.6"}})
	})
	got, err := c.WaitEnd(t.Context())
	if err != nil || got.Exit.String() != "exit code 3" || got.Message != `\x1b]0;owned\a` || got.Reason != ReasonFailed || !slices.Equal(got.Leases, []string{"10.0.0.5", "::ffff:10.0.0.6"}) {
		t.Fatalf("got %+v, %v", got, err)
	}
}

func TestRecordsArriveAsTheyWereWritten(t *testing.T) {
	want := Record{Number: 41, Time: time.Unix(1700000000, 5), Stream: 2, Data: []byte("a line\n")}
	c := connect(t, func(r Request, s *Stream) {
		if r.From != 41 || !r.Follow {
			t.Errorf("got %+v", r)
		}
		_ = s.SendRecord(want)
		_ = s.Send(KindDone, nil)
	})
	err := c.Output(t.Context(), 41, true, func(got Record) error {
		if got.Number != want.Number || !got.Time.Equal(want.Time) || got.Stream != 2 || string(got.Data) != "a line\n" {
			t.Errorf("got %+v", got)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestARequestEndsWithItsContext(t *testing.T) {
	c := connect(t, func(_ Request, s *Stream) {
		_ = s.Send(KindStarted, nil)
		for {
			if _, err := s.Receive(); err != nil {
				return
			}
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := c.Exec(ctx, Command{}, Stdio{})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
}

func TestALostGuestEndsWhatIsUnderWay(t *testing.T) {
	host, guest := pipe(t)
	go Serve(guest, func(_ Request, s *Stream) {
		_ = s.Send(KindStarted, nil)
		guest.Close()
	})
	_, err := dial(t, host).Exec(t.Context(), Command{}, Stdio{})
	if !errors.Is(err, ErrLost) {
		t.Fatalf("got %v", err)
	}
}

func TestProcessesShareAChannel(t *testing.T) {
	owner := connect(t, cat)
	l, err := net.Listen("unix", t.TempDir()+"/shared")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go owner.Share(l)
	var wg sync.WaitGroup
	for range 4 {
		conn, err := net.Dial("unix", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		c := dial(t, conn)
		wg.Go(func() {
			in := strings.Repeat("shared ", 1<<16)
			var out bytes.Buffer
			exit, err := c.Exec(t.Context(), Command{}, Stdio{Stdin: strings.NewReader(in), Stdout: &out})
			if err != nil || exit.Code != 7 || out.String() != in {
				t.Errorf("got %v, %v and %d bytes", exit, err, out.Len())
			}
		})
	}
	wg.Wait()
}

// cancelling ends a context when something is written to it.
type cancelling struct{ cancel func() }

func (c cancelling) Write(p []byte) (int, error) { c.cancel(); return len(p), nil }

// The guest ends a command whose host has left, and may say how it ended before
// that one has gone.
func TestTheEndOfTheContextCountsBeforeTheCommands(t *testing.T) {
	c := connect(t, func(_ Request, s *Stream) {
		_ = s.Send(KindStarted, nil)
		_ = s.Send(KindStdout, []byte("x"))
		_ = s.SendJSON(KindExit, Exit{Signal: 1})
	})
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		if exit, err := c.Exec(ctx, Command{}, Stdio{Stdout: cancelling{cancel}}); !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v, %v", exit, err)
		}
	}
}
