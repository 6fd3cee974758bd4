package runtime_test

import (
	"bufio"
	"bytes"
	"context"
	"image"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/internal/rfb/rfbtest"
)

// visit connects a viewer that types and clicks.
func (w window) visit(t *testing.T) *rfbtest.Viewer {
	t.Helper()
	ours, ended := w.view(t.Context(), true)
	v, err := rfbtest.Connect(ours)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	return v
}

// windowProgram is one with a window, which runs beside the first.
type windowProgram struct {
	lines *bufio.Scanner
	ended chan channel.Exit
}

func (w window) start(t *testing.T, argv ...string) windowProgram {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), screenLimit)
	t.Cleanup(cancel)
	r, out := io.Pipe()
	p := windowProgram{bufio.NewScanner(r), make(chan channel.Exit, 1)}
	go func() {
		exit, err := w.client.Exec(ctx, channel.Command{Argv: argv, TTY: &channel.Size{Rows: 24, Cols: 80}}, channel.Stdio{Stdout: out})
		out.CloseWithError(err)
		p.ended <- exit
	}()
	return p
}

// says waits until the program has printed what the pattern matches.
func (p windowProgram) says(t *testing.T, pattern string) {
	t.Helper()
	wanted, said := regexp.MustCompile(pattern), []string(nil)
	for p.lines.Scan() {
		if wanted.MatchString(p.lines.Text()) {
			return
		}
		said = append(said, p.lines.Text())
	}
	t.Fatalf("the program never says %s: %v\n%s", pattern, p.lines.Err(), strings.Join(said, "\n"))
}

// exec gives what a command inside prints, whatever becomes of it.
func (w window) exec(t *testing.T, script string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), screenLimit)
	defer cancel()
	var out bytes.Buffer
	if _, err := w.client.Exec(ctx, channel.Command{Argv: []string{"/usr/bin/sh", "-c", script}}, channel.Stdio{Stdout: &out}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// Keys' numbers in X.
const (
	pageDown   = 0xff56
	odiaeresis = 0xf6 // of no key of an American keyboard
)

// keysAndClicks has programs tell what reaches them, and how they end.
func (w window) keysAndClicks(t *testing.T) {
	v := w.visit(t)
	told := w.start(t, "/usr/bin/xev", "-geometry", "200x100+400+30")
	told.says(t, "^MapNotify")
	try(t, v.Click(3, 450, 60))
	told.says(t, `root:\(450,60\)`)
	told.says(t, "button 3")
	for _, key := range []struct {
		symbol uint32
		name   string
	}{
		{'a', "a"}, {'A', "A"}, {pageDown, "Next"},
		{odiaeresis, "(odiaeresis|NoSymbol)"}, // new to the keyboard: programs hear of that as they see it
		{odiaeresis, "odiaeresis"},
	} {
		try(t, v.Key(key.symbol))
		told.says(t, `^ +state .*keysym 0x[0-9a-f]+, `+key.name+`\)`)
	}
	asks := w.start(t, "/usr/bin/xmessage", "-geometry", "+400+200", "-buttons", "no:7,yes:42", "May it?")
	at := w.button(t)
	try(t, v.Click(1, at.X, at.Y))
	if exit := <-asks.ended; exit.Status() != 42 {
		t.Errorf("the program that was clicked on ends with %v, want 42", exit)
	}
}

// button waits until the program that asks is there, and gives the middle of its
// rightmost button.
func (w window) button(t *testing.T) image.Point {
	t.Helper()
	find := regexp.MustCompile(`: \(\)  (\d+)x(\d+)\S+  \+(\d+)\+(\d+)`)
	for start := time.Now(); time.Since(start) < screenLimit; time.Sleep(100 * time.Millisecond) {
		tree := w.exec(t, "xwininfo -name xmessage -tree")
		var middle image.Point
		left := -1
		for _, found := range find.FindAllStringSubmatch(tree, -1) {
			var n [4]int
			for i := range n {
				n[i], _ = strconv.Atoi(found[i+1]) // digits
			}
			if n[2] > left {
				left, middle = n[2], image.Pt(n[2]+n[0]/2, n[3]+n[1]/2)
			}
		}
		if strings.Contains(tree, "3 children") { // the text and both buttons
			return middle
		}
	}
	t.Fatal("there is no button")
	return image.Point{}
}

// size has a viewer wish for another size, which it gets where the profile lets it.
func (w window) size(t *testing.T) {
	v := w.visit(t)
	try(t, v.Resize(500, 300))
	got := await(t, v.Sizes, func(s rfbtest.Size) bool { return s.Refused || s.Width == 500 })
	want := image.Pt(640, 400)
	if w.resize {
		want = image.Pt(500, 300)
	}
	if got.Refused == w.resize {
		t.Errorf("a viewer that wishes for another size is told %+v", got)
	}
	if got := w.screenshot(t).Rect.Max; got != want {
		t.Errorf("then the screen has %v, want %v", got, want)
	}
}

// copiedText has text copied on either side, which passes as the profile says.
func (w window) copiedText(t *testing.T) {
	v := w.visit(t)
	try(t, v.Copy("from outside"))
	told := w.start(t, "/usr/bin/xev", "-geometry", "200x100+400+30")
	told.says(t, "^MapNotify")
	try(t, v.Click(0, 450, 60))
	told.says(t, "^MotionNotify") // so that the server has heard of the text, too
	got := w.exec(t, "timeout 60 xclip -o -selection clipboard 2>&1")
	if w.clipboard.In() != (got == "from outside") {
		t.Errorf("the clipboard passes %q, and inside stands %q", w.clipboard, got)
	}
	w.exec(t, "echo from inside | xclip -i -selection clipboard >/dev/null; xclip -o -selection clipboard")
	if w.clipboard.Out() {
		await(t, v.Copied, func(s string) bool { return strings.HasPrefix(s, "from inside") })
		return
	}
	try(t, v.Click(0, 460, 60))
	told.says(t, "^MotionNotify") // by when it would have been there
	select {
	case text := <-v.Copied:
		t.Errorf("the clipboard passes %q, and %q came out", w.clipboard, text)
	default:
	}
}

func try(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// await gives the first that is wanted of what comes.
func await[T any](t *testing.T, from <-chan T, wanted func(T) bool) T {
	t.Helper()
	limit := time.After(screenLimit)
	for {
		select {
		case v := <-from:
			if wanted(v) {
				return v
			}
		case <-limit:
			t.Fatal("what was to come never came")
		}
	}
}
