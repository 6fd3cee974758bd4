package runtime_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/internal/rfb"
	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/runtime"
	"github.com/sbx-dev/sbx/schema"
)

// screenLimit is how long anything of a screen's may take in these tests.
const screenLimit = 5 * time.Minute

// A program with windows draws in a sandbox of either kind that has no network, and
// who looks at its screen sees it.
func TestDisplay(t *testing.T) {
	testhost.Need(t)
	for _, backend := range sandboxes {
		t.Run(backend, func(t *testing.T) {
			r := newRuntime(t)
			// each direction of the clipboard, and either answer to a wish for a size
			clipboard, resize := schema.ClipboardIn, true
			if backend != "lxc" {
				clipboard, resize = schema.ClipboardOut, false
			}
			w := upWindow(t, r, "window-"+backend, backend, clipboard, resize)
			t.Run("is seen", w.isSeen)
			t.Run("one viewer", w.oneViewer)
			t.Run("walls", w.walls)
			t.Run("keys and clicks", w.keysAndClicks)
			t.Run("size", w.size)
			t.Run("copied text", w.copiedText)
			t.Run("its server dies", w.serverDies) // the screen's end
		})
	}
	t.Run("copied text out", func(t *testing.T) {
		r := newRuntime(t)
		w := upWindow(t, r, "window-out", "lxc", schema.ClipboardOut, false)
		w.copiedText(t)
		w.size(t)
		p, err := r.Plan([]*compiler.Bundle{compile(t, "window.cue", "name=window-out", "backend=lxc", "clipboard=both")}, false)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := p.Encode(); err != nil || !strings.Contains(string(text), "clipboardIn") || !strings.Contains(string(text), `"restart"`) {
			t.Errorf("the plan for text that passes in, too, is %v\n%s", err, text)
		}
	})
}

// window is a sandbox of testdata/window.cue.
type window struct {
	client    *channel.Client
	clipboard schema.Clipboard
	resize    bool
}

func upWindow(t *testing.T, r *runtime.Runtime, name, backend string, clipboard schema.Clipboard, resize bool) window {
	t.Helper()
	up(t, r, compile(t, "window.cue", "name="+name, "backend="+backend, "clipboard="+string(clipboard), fmt.Sprintf("resize=%v", resize)))
	client, err := r.Attach(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return window{client, clipboard, resize}
}

// view connects a viewer, whose end says why View has ended.
func (w window) view(ctx context.Context, shared bool) (ours net.Conn, ended <-chan error) {
	ours, theirs := net.Pipe()
	result := make(chan error, 1)
	go func() { result <- w.client.View(ctx, shared, theirs) }()
	return ours, result
}

func (w window) screenshot(t *testing.T) *image.RGBA {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), screenLimit)
	defer cancel()
	ours, ended := w.view(ctx, true)
	picture, err := rfb.Screenshot(ours)
	ours.Close()
	if err := errors.Join(err, <-ended); err != nil {
		t.Fatal(err)
	}
	return picture
}

// isSeen waits until xlogo has drawn its window, white with a black logo, on the
// screen's black.
func (w window) isSeen(t *testing.T) {
	white, black := color.RGBA{255, 255, 255, 255}, color.RGBA{0, 0, 0, 255}
	expect := map[image.Point]color.RGBA{
		{X: 25, Y: 130}: white, {X: 315, Y: 130}: white, {X: 21, Y: 31}: white, // the window's sides and corner
		{X: 110, Y: 50}: black, {X: 230, Y: 210}: black, // the logo's thick stroke
		{X: 10, Y: 10}: black, {X: 600, Y: 350}: black, // the screen around it
	}
	for start := time.Now(); ; time.Sleep(200 * time.Millisecond) {
		picture := w.screenshot(t)
		if picture.Rect.Max != image.Pt(640, 400) {
			t.Fatalf("the screen has %v pixels", picture.Rect.Max)
		}
		var wrong []image.Point
		for at, want := range expect {
			if picture.RGBAAt(at.X, at.Y) != want {
				wrong = append(wrong, at)
			}
		}
		if len(wrong) == 0 {
			return
		}
		if time.Since(start) > screenLimit {
			t.Fatalf("the picture is not xlogo's at %v", wrong)
		}
	}
}

// connect connects the only viewer, once an earlier one has been seen to leave.
func (w window) connect(t *testing.T) (ours net.Conn, ended <-chan error) {
	t.Helper()
	for start := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		ours, ended = w.view(t.Context(), false)
		_, err := ours.Read(make([]byte, 1)) // the greeting's first
		if err == nil {
			return ours, ended
		}
		if why := <-ended; time.Since(start) > screenLimit {
			t.Fatal("no viewer is let in: ", why)
		}
	}
}

// oneViewer has a second viewer refused, unless it asks to look on beside the first.
func (w window) oneViewer(t *testing.T) {
	first, ended := w.connect(t)
	_, second := w.view(t.Context(), false)
	if err := <-second; err == nil || !strings.Contains(err.Error(), "--shared") {
		t.Errorf("a second viewer: got %v", err)
	}
	w.screenshot(t)
	first.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	again, ended := w.connect(t)
	again.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// walls has the command's user try what the screen's server must keep from it.
func (w window) walls(t *testing.T) {
	for _, test := range []struct{ what, script string }{
		{"nothing listens on TCP", `test "$(cat /proc/net/tcp /proc/net/tcp6 | grep -c ' 0A ')" = 0`},
		{"no program of its own opens the clipboard", `for p in SendCutText AcceptCutText; do was=$(tigervncconfig -get $p) && for to in 0 1; do tigervncconfig -set $p=$to; test "$(tigervncconfig -get $p)" = "$was" || exit 1; done; done`},
		{"the user finds the screen", `xwd -root -silent >/dev/null`},
		{"the server's key is closed", `! cat /run/display/server 2>/dev/null`},
		{"the viewers' socket is closed", `! test -w /run/display/viewers`},
		{"and cannot be replaced", `! rm -f /run/display/viewers 2>/dev/null`},
		{"the server cannot be ended", `for p in /proc/[0-9]*; do case $(readlink -m $p/exe; cat $p/comm) in *Xtigervnc*) found=1; ! kill -9 ${p#/proc/} 2>/dev/null || exit 1;; esac; done; test "$found"`},
	} {
		var out bytes.Buffer
		exit, err := w.client.Exec(t.Context(), channel.Command{Argv: []string{"/usr/bin/sh", "-c", test.script}}, channel.Stdio{Stdout: &out, Stderr: &out})
		if err != nil || exit.Status() != 0 {
			t.Errorf("%s: %v, %v\n%s", test.what, exit, err, &out)
		}
	}
}

// serverDies ends the server as its own user: whoever views is told, and whoever comes.
func (w window) serverDies(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), screenLimit)
	defer cancel()
	first, viewing := w.connect(t)
	defer first.Close()
	go func() { _, _ = io.Copy(io.Discard, first) }()
	kill := channel.Command{Argv: []string{"/usr/bin/sh", "-c", "kill -9 -1"}, User: "65533"}
	if _, err := w.client.Exec(ctx, kill, channel.Stdio{}); err != nil {
		t.Fatal(err)
	}
	told := <-viewing
	_, late := w.view(ctx, true)
	for what, err := range map[string]error{"who views": told, "who comes": <-late} {
		if err == nil || !strings.Contains(err.Error(), "X server has ended: killed by signal 9") {
			t.Errorf("%s: got %v", what, err)
		}
	}
}
