package runtime_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/sbx-dev/sbx/initramfs/channel"
	"github.com/sbx-dev/sbx/internal/rfb"
	"github.com/sbx-dev/sbx/internal/testhost"
	"github.com/sbx-dev/sbx/schema"
)

// A screen that cannot be is told in words, before long, and so is a program without
// use for it.
func TestDisplayFailures(t *testing.T) {
	testhost.Need(t)
	for _, test := range []struct{ lacks, argv, want string }{
		{"server", "/usr/bin/sleep infinity", "tigervnc-standalone-server"},
		{"keyboards", "/usr/bin/sleep infinity", "makes its keyboard of /usr/share/X11/xkb, which the sandbox does not see"},
		{"room", "/usr/bin/sleep infinity", `give the profile mounts: "/tmp"`},
		{"nothing", "/usr/bin/xlogo -display :9", "Can't open display: :9"},
		{"life", "/usr/bin/true", "ended"},
	} {
		t.Run(test.lacks, func(t *testing.T) {
			t.Parallel()
			r := newRuntime(t)
			b := compile(t, "blind.cue", "lacks="+test.lacks, "argv="+test.argv)
			t.Cleanup(func() { _, _ = r.Down(context.Background(), b.Index.Name) }) // what may be left of it
			ctx, cancel := context.WithTimeout(t.Context(), screenLimit)
			defer cancel()
			_, err := r.Up(ctx, b)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
	t.Run("fonts", screenWithoutFonts)
	t.Run("a server that hangs", screenHangs)
}

// screenWithoutFonts has X's own few fonts, which the server holds itself, so that it
// draws; a program that looks for fonts says what it has not found.
func screenWithoutFonts(t *testing.T) {
	t.Parallel()
	r := newRuntime(t)
	b := compile(t, "blind.cue", "lacks=fonts")
	up(t, r, b)
	client, err := r.Attach(t.Context(), b.Index.Name)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	w := window{client: client, clipboard: schema.ClipboardNone}
	w.screenshot(t)
	if got := w.exec(t, "xfd -fa Sans 2>&1; echo $?"); !strings.Contains(got, "font") {
		t.Errorf("a program that looks for fonts says %q", got)
	}
}

// screenHangs stops the server, which then lets viewers in and greets none.
func screenHangs(t *testing.T) {
	t.Parallel()
	w := upWindow(t, newRuntime(t), "window-hangs", "lxc", schema.ClipboardNone, false)
	ctx, cancel := context.WithTimeout(t.Context(), screenLimit)
	defer cancel()
	w.screenshot(t)
	stop := channel.Command{Argv: []string{"/usr/bin/sh", "-c", "kill -STOP -1"}, User: "65533"}
	if _, err := w.client.Exec(ctx, stop, channel.Stdio{}); err != nil {
		t.Fatal(err)
	}
	ours, ended := w.view(ctx, false)
	if _, err := rfb.Screenshot(ours); err == nil {
		t.Error("a server that is stopped gives a picture")
	}
	_, _ = io.Copy(io.Discard, ours)
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "the display's X server hangs") {
		t.Errorf("who views is told %v", err)
	}
	start := channel.Command{Argv: []string{"/usr/bin/sh", "-c", "kill -CONT -1"}, User: "65533"}
	if _, err := w.client.Exec(ctx, start, channel.Stdio{}); err != nil {
		t.Fatal(err)
	}
	w.screenshot(t)
}
