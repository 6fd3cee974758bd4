package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sbx-dev/sbx/internal/testhost"
)

// aTerminal is a program with a window, which keeps what is typed into it. What it
// shows of the clipboard goes both ways.
const aTerminal = `package terminal

import "github.com/sbx-dev/sbx/schema"

schema.#Desktop & {
	name:    "terminal"
	backend: "lxc"
	run: {
		argv: ["/usr/bin/xterm", "-geometry", "80x24+0+0", "-e", "cat >/tmp/typed"]
		user:    "1000"
		workdir: "/"
	}
	display: {size: "640x400", clipboard: "both", resize: true}
}
`

// Whoever views a screen types, clicks and copies text, in a browser and in TigerVNC's
// viewer.
func TestView(t *testing.T) {
	testhost.Need(t)
	profile := filepath.Join(t.TempDir(), "terminal.cue")
	if err := os.WriteFile(profile, []byte(aTerminal), 0o644); err != nil {
		t.Fatal(err)
	}
	mustSbx(t, "up", profile)
	t.Cleanup(func() { _ = run(context.Background(), nil, os.Stderr, os.Stderr, []string{"down", "terminal"}) })
	t.Run("in TigerVNC's viewer", viewedByTigerVNC)
	t.Run("in a browser", viewedInABrowser) // its end is the sandbox's
}

// typed waits until the program has been typed this line.
func typed(t *testing.T, line string) {
	t.Helper()
	testhost.WaitFor(t, "the line "+line, browserLimit, func() bool { return strings.HasSuffix(keysHeard(t), line+"\n") })
}

// keysHeard is what the program has been typed; nothing while the terminal has not
// started it yet.
func keysHeard(t *testing.T) string {
	t.Helper()
	return call(t, strings.NewReader(""), "exec", "terminal", "--", "cat", "/tmp/typed").stdout
}

// inside waits until the sandbox's clipboard has the text.
func inside(t *testing.T, text string) {
	t.Helper()
	testhost.WaitFor(t, "the text inside", browserLimit, func() bool {
		got := call(t, strings.NewReader(""), "exec", "terminal", "--", "xclip", "-o", "-selection", "clipboard")
		return got.code == 0 && got.stdout == text
	})
}

// copyInside copies text in the sandbox.
func copyInside(t *testing.T, text string) {
	t.Helper()
	mustSbx(t, "exec", "terminal", "--", "sh", "-c", `printf %s "$1" | xclip -i -selection clipboard >/dev/null 2>&1`, "sh", text)
}

// servePage has sbx serve a page of the screen.
func servePage(t *testing.T, flags ...string) (page *exec.Cmd, url string) {
	t.Helper()
	page = exec.Command("sbx", append(append([]string{"view", "--web"}, flags...), "terminal")...)
	page.Stderr = os.Stderr
	out, err := page.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := page.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = page.Process.Kill() }) // which has ended, but where the test fails
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return page, strings.TrimSpace(line)
}

// viewedInABrowser has the page of --web drawn, typed into and copied through, beside
// what must not pass.
func viewedInABrowser(t *testing.T) {
	page, url := servePage(t)
	b := openBrowser(t)
	first := b.open(t, url)
	first.shows("state", "connected")
	second := b.open(t, url)
	second.shows("state", "somebody views it already")
	base, _, _ := strings.Cut(url, "#")
	stranger := b.open(t, base+"#wrong")
	stranger.shows("state", "needs the whole address")

	guest, shared := servePage(t, "--view-only", "--shared")
	onlooker := b.open(t, shared)
	onlooker.shows("state", "shown only")

	first.do("Page.bringToFront", nil, nil)
	testhost.WaitFor(t, "the screen to have the window's size", browserLimit, func() bool {
		return first.value("(c => c.width === c.closest('main').clientWidth && c.width !== 640)(document.querySelector('canvas'))") == "true"
	})
	var at struct{ X, Y, Width, Height float64 }
	if err := json.Unmarshal([]byte(first.value("JSON.stringify(document.querySelector('canvas').getBoundingClientRect())")), &at); err != nil {
		t.Fatal(err)
	}
	first.click(at.X+300, at.Y+200)
	first.keys("hello")
	typed(t, "hello")
	onlooker.do("Page.bringToFront", nil, nil)
	onlooker.click(at.X+300, at.Y+200)
	onlooker.keys("unheard")
	first.do("Page.bringToFront", nil, nil)
	first.keys("later")
	typed(t, "later")
	if got := keysHeard(t); strings.Contains(got, "unheard") {
		t.Errorf("who was only to look on has typed: %q", got)
	}
	shot := filepath.Join(t.TempDir(), "shot.png")
	testhost.WaitFor(t, "the same picture in the page and in a screenshot", browserLimit, func() bool {
		mustSbx(t, "view", "--screenshot", shot, "terminal")
		taken, err := os.ReadFile(shot)
		return err == nil && alike(t, taken, first.picture(at.X, at.Y, at.Width, at.Height))
	})

	first.value("document.getElementById('clipboard').click()")
	first.value("document.getElementById('paste').value = 'from outside'; document.getElementById('send').click()")
	inside(t, "from outside")
	copyInside(t, "<b id=planted>from inside</b>")
	first.shows("copied", "<b id=planted>from inside</b>")
	if got := first.value("document.getElementById('planted') === null"); got != "true" {
		t.Error("copied text becomes a part of the page")
	}
	mustSbx(t, "down", "terminal")
	if err := page.Wait(); err != nil {
		t.Errorf("sbx view --web ends with %v", err)
	}
	if err := guest.Wait(); err != nil {
		t.Errorf("sbx view --web --shared ends with %v", err)
	}
	first.shows("state", "disconnected")
}

// alike says whether two pictures are of the same size and differ at most where the
// pointer may be drawn, and whether there is something to see.
func alike(t *testing.T, a, b []byte) bool {
	t.Helper()
	var pictures [2]image.Image
	for i, data := range [][]byte{a, b} {
		picture, err := png.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		pictures[i] = picture
	}
	size := pictures[0].Bounds()
	if size != pictures[1].Bounds() {
		return false
	}
	other, seen, first := 0, 0, pictures[0].At(0, 0)
	for y := range size.Max.Y {
		for x := range size.Max.X {
			at := pictures[0].At(x, y)
			if at != first {
				seen++
			}
			r, g, b, _ := at.RGBA()
			r2, g2, b2, _ := pictures[1].At(x, y).RGBA()
			if r != r2 || g != g2 || b != b2 {
				other++
			}
		}
	}
	return other < 300 && seen > 1000
}

// viewedByTigerVNC has a person at an X server use the viewer that sbx view opens, and
// close it.
func viewedByTigerVNC(t *testing.T) {
	display := openX(t)
	env := append(os.Environ(), "DISPLAY="+display)
	ask := func(stdin string, argv ...string) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), browserLimit)
		defer cancel()
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
		cmd.Env, cmd.Stdin, cmd.WaitDelay = env, strings.NewReader(stdin), time.Second
		out, err := cmd.Output()
		return string(out), err
	}
	viewer := exec.Command("sbx", "view", "terminal")
	viewer.Env, viewer.Stderr = env, os.Stderr
	if err := viewer.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = viewer.Process.Kill() })
	window := viewerWindow(t, env)
	// It hears keys once it has shown the screen.
	testhost.WaitFor(t, "what is typed", browserLimit, func() bool {
		_, err := ask("", "xdotool", "windowfocus", window, "mousemove", "--window", window, "200", "200", "click", "1", "type", "viewer\n")
		return err == nil && strings.Contains(keysHeard(t), "viewer\n")
	})
	if _, err := ask("from outside", "sh", "-c", "xclip -i -selection clipboard >/dev/null 2>&1"); err != nil {
		t.Fatal(err)
	}
	inside(t, "from outside")
	copyInside(t, "from inside")
	testhost.WaitFor(t, "what was copied inside", browserLimit, func() bool {
		got, err := ask("", "timeout", "10", "xclip", "-o", "-selection", "clipboard")
		return err == nil && got == "from inside"
	})
	if err := closeViewer(t, env, window, viewer); err != nil {
		t.Errorf("sbx view ends with %v", err)
	}
}

// A program of sbx run --display has the viewer for as long as it runs, and its exit
// code is told; who closes the viewer ends it.
func TestRunDisplay(t *testing.T) {
	needInit(t)
	backends := walls(t)
	for _, test := range []struct {
		what    string
		backend string
		script  string
		code    int
	}{
		{"the program ends at once", "lxc", "exit 42", 42},
		{"the viewer is closed", "lxc", "xlogo", 0},
		{"the program ends", "lxc", `xlogo & echo there; read line; exit 43`, 43},
		{"the viewer is closed, in a machine", "kvm", "xlogo", 0},
		{"the program ends, in a machine", "kvm", `xlogo & echo there; read line; exit 43`, 43},
	} {
		t.Run(test.what, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), browserLimit)
			defer cancel()
			env := append(os.Environ(), "DISPLAY="+openX(t)) // a person's, with one viewer
			args := slices.Concat(backends[test.backend], []string{"--display", "-e", "HOME=/tmp", "--", "sh", "-c", test.script})
			cmd := exec.CommandContext(ctx, "sbx", args...)
			var stderr bytes.Buffer
			cmd.Env, cmd.Stderr = env, &stderr
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			switch test.code {
			case 42:
				_ = cmd.Wait()
			case 43:
				viewerWindow(t, env)
				in.Close()
				_ = cmd.Wait()
			default:
				_ = closeViewer(t, env, viewerWindow(t, env), cmd)
			}
			if got := cmd.ProcessState.ExitCode(); got != test.code {
				t.Errorf("sbx ends with %d, want %d: %s", got, test.code, &stderr)
			}
		})
	}
}

// aPage is a PDF with a black square on its one page.
const aPage = "%PDF-1.1\n" +
	"1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n" +
	"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n" +
	"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 300]/Contents 4 0 R>>endobj\n" +
	"4 0 obj<</Length 18>>stream\n50 50 200 200 re f\nendstream endobj\n" +
	"trailer<</Root 1 0 R>>\n"

// The profile that ships for PDFs draws one that comes in as standard input.
func TestXpdf(t *testing.T) {
	needInit(t)
	ctx, cancel := context.WithTimeout(t.Context(), browserLimit)
	defer cancel()
	reader := exec.CommandContext(ctx, "sbx", "run", "--name", "paper", "xpdf")
	reader.Stdin, reader.Stderr = strings.NewReader(aPage), os.Stderr
	if err := reader.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = reader.Process.Signal(syscall.SIGTERM)
		_ = reader.Wait() // by the signal
	}()
	shot := filepath.Join(t.TempDir(), "shot.png")
	testhost.WaitFor(t, "the page's black square on white", browserLimit, func() bool {
		if call(t, strings.NewReader(""), "view", "--screenshot", shot, "paper").code != 0 {
			return false // it has not started yet
		}
		return ofColour(t, shot, color.Black) > 20_000 && ofColour(t, shot, color.White) > 20_000
	})
}

// ofColour is how many points of the picture in a file have the colour.
func ofColour(t *testing.T, shot string, colour color.Color) (count int) {
	t.Helper()
	f, err := os.Open(shot)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	picture, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	red, green, blue, _ := colour.RGBA()
	size := picture.Bounds()
	for y := range size.Max.Y {
		for x := range size.Max.X {
			if r, g, b, _ := picture.At(x, y).RGBA(); r == red && g == green && b == blue {
				count++
			}
		}
	}
	return count
}

// needInit is testhost.Need, for tests that run sbx as a process of its own.
func needInit(t *testing.T) {
	t.Helper()
	testhost.Need(t)
	bin, err := guestInit()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("SBX_INIT", bin)
}

// viewerWindow waits for TigerVNC's.
func viewerWindow(t *testing.T, env []string) (window string) {
	t.Helper()
	testhost.WaitFor(t, "the viewer's window", browserLimit, func() bool {
		search := exec.Command("xdotool", "search", "--onlyvisible", "--name", "TigerVNC")
		search.Env = env
		found, err := search.Output()
		window, _, _ = strings.Cut(string(found), "\n")
		return err == nil && window != ""
	})
	return window
}

// closeViewer chooses Disconnect in the viewer's menu, until what has opened it ends.
func closeViewer(t *testing.T, env []string, window string, opener *exec.Cmd) error {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- opener.Wait() }()
	for range 60 {
		choose := exec.Command("xdotool", "windowfocus", window, "mousemove", "--window", window, "200", "200", "click", "1", "key", "F8", "sleep", "0.5", "key", "c")
		choose.Env = env
		_ = choose.Run() // the window may have gone
		select {
		case err := <-ended:
			return err
		case <-time.After(2 * time.Second):
		}
	}
	t.Fatal("the viewer does not close")
	return nil
}

// openX starts an X server of the host's, and gives its display.
func openX(t *testing.T) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", "1024x768x24", "-noreset", "-nolisten", "tcp", "-nolisten", "unix")
	cmd.ExtraFiles = []*os.File{w}
	err = cmd.Start()
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // we have killed it
	})
	number, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return ":" + strings.TrimSpace(number)
}
