package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/sbx-dev/sbx/internal/testhost"
)

// browserLimit is how long anything in a browser or a viewer may take in tests.
const browserLimit = 3 * time.Minute

// browser is Debian's Chromium without a window, by its protocol for tools.
type browser struct{ address string }

func openBrowser(t *testing.T) browser {
	t.Helper()
	home, err := os.MkdirTemp("", "sbx-browser-")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--remote-debugging-port=0", "--remote-allow-origins=*", "--user-data-dir="+home, "--window-size=1000,700", "about:blank")
	cmd.Env = append(os.Environ(), "HOME="+home, "TMPDIR="+home)
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // we have killed it; its processes may write for a moment yet
		testhost.WaitFor(t, "Chromium's files to go", browserLimit, func() bool { return os.RemoveAll(home) == nil })
	})
	var port string
	testhost.WaitFor(t, "Chromium", browserLimit, func() bool {
		said, err := os.ReadFile(filepath.Join(home, "DevToolsActivePort"))
		port, _, _ = strings.Cut(string(said), "\n")
		return err == nil && port != ""
	})
	return browser{"127.0.0.1:" + port}
}

// tab is one of its pages.
type tab struct {
	t    *testing.T
	conn *websocket.Conn
	last int
}

func (b browser) open(t *testing.T, url string) *tab {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+b.address+"/json/new?about:blank", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var made struct{ WebSocketDebuggerURL string }
	if err := json.NewDecoder(answer.Body).Decode(&made); err != nil {
		t.Fatal(err)
	}
	conn, _, err := websocket.Dial(t.Context(), made.WebSocketDebuggerURL, nil)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadLimit(64 << 20)
	t.Cleanup(func() { conn.CloseNow() })
	opened := &tab{t: t, conn: conn}
	opened.do("Page.navigate", map[string]any{"url": url}, nil)
	return opened
}

// do has the tab do something, and decodes what comes of it into result.
func (b *tab) do(method string, params map[string]any, result any) {
	b.t.Helper()
	if refusal := b.ask(method, params, result); refusal != "" {
		b.t.Fatalf("%s: %s", method, refusal)
	}
}

// ask is do, of what the tab may refuse.
func (b *tab) ask(method string, params map[string]any, result any) (refusal string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), browserLimit)
	defer cancel()
	b.last++
	ask, err := json.Marshal(map[string]any{"id": b.last, "method": method, "params": params})
	if err != nil {
		b.t.Fatal(err)
	}
	if err := b.conn.Write(ctx, websocket.MessageText, ask); err != nil {
		b.t.Fatal(err)
	}
	for {
		_, said, err := b.conn.Read(ctx)
		if err != nil {
			b.t.Fatalf("%s: %v", method, err)
		}
		var answer struct {
			ID     int
			Result json.RawMessage
			Error  *struct{ Message string }
		}
		if err := json.Unmarshal(said, &answer); err != nil {
			b.t.Fatal(err)
		}
		switch {
		case answer.ID != b.last: // an event
			continue
		case answer.Error != nil:
			return answer.Error.Message
		case result != nil:
			if err := json.Unmarshal(answer.Result, result); err != nil {
				b.t.Fatal(err)
			}
		}
		return ""
	}
}

// value is what an expression gives in the page, as text; nothing while the page comes.
func (b *tab) value(expression string) string {
	b.t.Helper()
	var got struct{ Result struct{ Value any } }
	if b.ask("Runtime.evaluate", map[string]any{"expression": expression, "userGesture": true}, &got) != "" {
		return ""
	}
	return fmt.Sprint(got.Result.Value)
}

// shows waits until an element's text, or what it has been given, has the text.
func (b *tab) shows(id, text string) {
	b.t.Helper()
	var got string
	defer func() {
		if b.t.Failed() {
			b.t.Logf("the page's %s is %q", id, got)
		}
	}()
	testhost.WaitFor(b.t, fmt.Sprintf("%s in the page's %s", text, id), browserLimit, func() bool {
		got = b.value(fmt.Sprintf("(e => e ? (e.value || e.textContent) : '')(document.getElementById(%q))", id))
		return strings.Contains(got, text)
	})
}

// click presses the first button of the mouse.
func (b *tab) click(x, y float64) {
	b.t.Helper()
	for _, kind := range []string{"mouseMoved", "mousePressed", "mouseReleased"} {
		b.do("Input.dispatchMouseEvent", map[string]any{"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1}, nil)
	}
}

// keys types small letters and ends the line.
func (b *tab) keys(text string) {
	b.t.Helper()
	press := func(key, code string) {
		for _, kind := range []string{"keyDown", "keyUp"} {
			b.do("Input.dispatchKeyEvent", map[string]any{"type": kind, "key": key, "code": code}, nil)
		}
	}
	for _, c := range text {
		press(string(c), "Key"+strings.ToUpper(string(c)))
	}
	press("Enter", "Enter")
}

// picture is a PNG of the page's part.
func (b *tab) picture(x, y, width, height float64) []byte {
	b.t.Helper()
	var got struct{ Data []byte }
	b.do("Page.captureScreenshot", map[string]any{"clip": map[string]any{"x": x, "y": y, "width": width, "height": height, "scale": 1}}, &got)
	return got.Data
}
