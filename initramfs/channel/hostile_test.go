package channel

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"runtime"
	"testing"
	"time"
)

// muxFrame is a multiplexer frame as a hostile guest would build it.
func muxFrame(kind byte, flags uint16, stream, length uint32, body []byte) []byte {
	b := []byte{0, kind}
	b = binary.BigEndian.AppendUint16(b, flags)
	b = binary.BigEndian.AppendUint32(b, stream)
	b = binary.BigEndian.AppendUint32(b, length)
	return append(b, body...)
}

// hostile greets a host as a guest does and then sends bytes, over and over if
// repeat is set. What the host sends is thrown away.
func hostile(guest net.Conn, data []byte, repeat bool) {
	in := bufio.NewReader(guest)
	if answer(guest, in) != nil {
		return
	}
	go io.Copy(io.Discard, in)
	for {
		if _, err := guest.Write(data); err != nil || !repeat {
			return
		}
	}
}

// TestNoFloodFillsTheHost sends what yamux by itself would answer with memory:
// the host ends the channel, or its heap stays as it was.
func TestNoFloodFillsTheHost(t *testing.T) {
	many := func(frame []byte) []byte { return bytes.Repeat(frame, 1+(1<<16)/len(frame)) }
	stdout := append([]byte{byte(KindStdout), 0xff, 0xff}, make([]byte, MaxPayload)...)
	floods := map[string][]byte{
		"pings":               many(muxFrame(2, muxSYN, 0, 1, nil)),
		"streams of its own":  many(muxFrame(muxWindow, muxSYN, 2, 0, nil)),
		"streams of ours":     many(muxFrame(muxWindow, muxSYN, 5, 0, nil)),
		"windows":             many(muxFrame(muxWindow, 0, 1, 1<<20, nil)),
		"windows of no one":   many(muxFrame(muxWindow, 0, 77, 1, nil)),
		"data beyond windows": many(muxFrame(muxData, 0, 1, uint32(len(stdout)), stdout)),
		"data of no one":      many(muxFrame(muxData, 0, 99, 4, []byte("data"))),
		"an endless frame":    muxFrame(muxData, 0, 1, 1<<31, make([]byte, 1<<16)),
		"noise":               bytes.Repeat([]byte("noise "), 10000),
	}
	for name, flood := range floods {
		t.Run(name, func(t *testing.T) {
			host, guest := pipe(t)
			go hostile(guest, flood, true)
			c := dial(t, host)
			goroutines := runtime.NumGoroutine()
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			if _, err := c.Exec(ctx, Command{}, Stdio{}); err == nil {
				t.Error("the flood passed for a session")
			}
			if n := runtime.NumGoroutine() - goroutines; n > 20 {
				t.Errorf("%d goroutines more than before", n)
			}
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			if m.HeapInuse > 64<<20 {
				t.Errorf("the heap holds %d MiB", m.HeapInuse>>20)
			}
		})
	}
}

// The host opens a stream with all the room that it ever has for what nobody reads.
func TestAStreamHasABound(t *testing.T) {
	const first = 256 << 10 // which each stream of yamux has from its start
	host, guest := pipe(t)
	opened := make(chan []byte, 1)
	go func() {
		in := bufio.NewReader(guest)
		header := make([]byte, muxHeader)
		if answer(guest, in) == nil {
			_, _ = io.ReadFull(in, header)
		}
		opened <- header
	}()
	c := dial(t, host)
	go func() { _, _ = c.Exec(t.Context(), Command{}, Stdio{}) }()
	if got, want := <-opened, muxFrame(muxWindow, muxSYN, 1, OutputWindow-first, nil); !bytes.Equal(got, want) {
		t.Errorf("a stream opens with % x, want % x", got, want)
	}
}

// TestAGuestThatTakesNothingDoesNotHoldTheHost: a session whose guest reads no
// byte more ends with its context.
func TestAGuestThatTakesNothingDoesNotHoldTheHost(t *testing.T) {
	host, guest := pipe(t)
	go func() { _ = answer(guest, bufio.NewReader(guest)) }()
	c := dial(t, host)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := c.Exec(ctx, Command{}, Stdio{}); err == nil {
		t.Error("a silent guest passed for a session")
	}
	c.Close()
}

// FuzzHost feeds a host whatever a guest may send after its greeting.
func FuzzHost(f *testing.F) {
	frame := func(kind Kind, payload string) []byte {
		var b bytes.Buffer
		_ = writeFrame(&b, kind, []byte(payload))
		return b.Bytes()
	}
	data := func(frames ...[]byte) []byte {
		body := bytes.Join(frames, nil)
		return muxFrame(muxData, 2, 1, uint32(len(body)), body)
	}
	f.Add(data(frame(KindStarted, ""), frame(KindStdout, "out"), frame(KindExit, `{"code":3}`)))
	f.Add(data(frame(KindFailed, `{"reason":"not-found","message":"bm8="}`)))
	f.Add(data(frame(KindStarted, ""), frame(KindTaken, "\x00\x00\x00\x00\x00\x00\x00\x09"), frame(KindExit, `{"code":-1}`)))
	f.Add(data(frame(KindStatus, `{"state":"ended"}`)))
	f.Add(muxFrame(muxGoAway, 0, 0, 0, nil))
	f.Fuzz(func(t *testing.T, sent []byte) {
		host, guest := net.Pipe()
		defer guest.Close()
		go func() {
			hostile(guest, sent, false)
			guest.Close()
		}()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		c, err := Dial(ctx, host)
		if err != nil {
			return
		}
		defer c.Close()
		exit, err := c.Exec(ctx, Command{}, Stdio{Stdout: io.Discard})
		if err == nil && exit.check() != nil {
			t.Errorf("accepted %+v", exit)
		}
		if ctx.Err() != nil {
			t.Error("a guest that is gone held the host")
		}
	})
}

// FuzzGuard checks that whole frames come out as they went in, and nothing else.
func FuzzGuard(f *testing.F) {
	f.Add(muxFrame(muxData, 0, 1, 3, []byte("abc")), true)
	f.Add(muxFrame(muxWindow, muxSYN, 1, 9, nil), false)
	f.Add(bytes.Repeat([]byte{0xff}, 40), false)
	f.Fuzz(func(t *testing.T, in []byte, fromGuest bool) {
		r := bufio.NewReader(bytes.NewReader(in))
		g := &guard{in: r, fromGuest: fromGuest}
		passed, err := io.ReadAll(g)
		rest, _ := io.ReadAll(r)
		if !bytes.Equal(append(passed, rest...), in) {
			t.Fatal("bytes were lost or changed")
		}
		if err == errForeign {
			if len(rest) < muxHeader {
				t.Fatal("refused before the header was there")
			}
			if _, ok := g.admit(rest[:muxHeader]); ok {
				t.Fatal("refused a frame that may pass")
			}
		}
	})
}

// FuzzGreeting checks that a greeting is found behind any bytes that do not
// hold one.
func FuzzGreeting(f *testing.F) {
	f.Add([]byte("\xff\xff\x00sbx-host"))
	f.Add(bytes.Repeat([]byte{0xff}, 70))
	f.Fuzz(func(t *testing.T, before []byte) {
		if bytes.Contains(append(bytes.Clone(before), hostMagic[:len(hostMagic)-1]...), hostMagic) {
			t.Skip()
		}
		in := append(bytes.Clone(before), hostMagic...)
		in = append(append(in, 0, 1), bytes.Repeat([]byte{9}, nonceSize)...)
		taken, version, n, err := findGreeting(bufio.NewReader(bytes.NewReader(in)), hostMagic, 1<<30)
		if err != nil || taken != int64(len(in)) || version != 1 || n[0] != 9 {
			t.Fatalf("taken %d of %d, version %d, %v", taken, len(in), version, err)
		}
	})
}
