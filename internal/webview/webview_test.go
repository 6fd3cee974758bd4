package webview

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// serve serves a page whose screen sends back what it is sent, to one viewer at a time.
func serve(t *testing.T) *Server {
	t.Helper()
	one := make(chan struct{}, 1)
	s, err := Listen(Screen{Name: "pdf", View: func(_ context.Context, viewer io.ReadWriteCloser) error {
		select {
		case one <- struct{}{}:
			defer func() { <-one }()
			_, _ = io.Copy(viewer, viewer)
			return nil
		default:
			return errors.New("somebody views it already")
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { ended <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

// dial connects to the screen as the page does, but for what is changed.
func dial(t *testing.T, s *Server, change func(*websocket.DialOptions)) (*websocket.Conn, *http.Response, error) {
	t.Helper()
	options := &websocket.DialOptions{
		Subprotocols: []string{protocol, tokenPrefix + s.token},
		HTTPHeader:   http.Header{"Origin": {"http://" + s.host}},
	}
	if change != nil {
		change(options)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return websocket.Dial(ctx, "ws://"+s.host+"/screen", options)
}

func TestTheScreenIsForItsPageAlone(t *testing.T) {
	s := serve(t)
	for what, change := range map[string]func(*websocket.DialOptions){
		"no token":         func(o *websocket.DialOptions) { o.Subprotocols = []string{protocol} },
		"an empty token":   func(o *websocket.DialOptions) { o.Subprotocols = []string{protocol, tokenPrefix} },
		"a wrong token":    func(o *websocket.DialOptions) { o.Subprotocols[1] = tokenPrefix + strings.Repeat("A", len(s.token)) },
		"a token's begin":  func(o *websocket.DialOptions) { o.Subprotocols[1] = tokenPrefix + s.token[:len(s.token)-1] },
		"a foreign origin": func(o *websocket.DialOptions) { o.HTTPHeader.Set("Origin", "http://attacker.example") },
		"another port":     func(o *websocket.DialOptions) { o.HTTPHeader.Set("Origin", "http://127.0.0.1:1") },
		"a secure origin":  func(o *websocket.DialOptions) { o.HTTPHeader.Set("Origin", "https://"+s.host) },
		"an opaque origin": func(o *websocket.DialOptions) { o.HTTPHeader.Set("Origin", "null") },
		"no origin":        func(o *websocket.DialOptions) { o.HTTPHeader.Del("Origin") },
		"a rebinding host": func(o *websocket.DialOptions) { o.Host = "attacker.example" },
		"localhost":        func(o *websocket.DialOptions) { o.Host = strings.Replace(s.host, "127.0.0.1", "localhost", 1) },
	} {
		c, answer, err := dial(t, s, change)
		if err == nil {
			c.CloseNow()
			t.Errorf("%s: is let in", what)
		} else if answer == nil || answer.StatusCode/100 != 4 {
			t.Errorf("%s: got %v, %v", what, answer, err)
		}
	}
}

func TestOneViewer(t *testing.T) {
	s := serve(t)
	first, _, err := dial(t, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer first.CloseNow()
	if first.Subprotocol() != protocol {
		t.Errorf("the token is sent back: %q", first.Subprotocol())
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := first.Write(ctx, websocket.MessageBinary, []byte("a key")); err != nil {
		t.Fatal(err)
	}
	if _, got, err := first.Read(ctx); err != nil || string(got) != "a key" {
		t.Errorf("got %q, %v", got, err)
	}
	second, _, err := dial(t, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer second.CloseNow()
	_, _, err = second.Read(ctx)
	if closed := new(websocket.CloseError); !errors.As(err, closed) || closed.Reason != "somebody views it already" {
		t.Errorf("a second viewer: got %v", err)
	}
}

func get(t *testing.T, s *Server, path string, header http.Header) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.host+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header
	if host := header.Get("Host"); host != "" {
		r.Host = host
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}

func TestFiles(t *testing.T) {
	s := serve(t)
	for _, test := range []struct {
		path   string
		header http.Header
		code   int
		want   string
	}{
		{"/", http.Header{}, 200, "<title>sbx view</title>"},
		{"/novnc/core/rfb.js", http.Header{}, 200, "class RFB"},
		{"/novnc/core/", http.Header{}, 404, ""},
		{"/novnc", http.Header{}, 404, ""},
		{"/../webview.go", http.Header{}, 404, ""},
		{"/about", http.Header{}, 403, ""},
		{"/about", http.Header{"Authorization": {"Bearer no"}}, 403, ""},
		{"/about", http.Header{"Authorization": {"Bearer " + s.token}}, 200, `"name":"pdf"`},
		{"/about", http.Header{"Authorization": {"Bearer " + s.token}, "Host": {"attacker.example"}}, 421, ""},
		{"/about", http.Header{"Authorization": {"Bearer " + s.token}, "Origin": {"http://attacker.example"}}, 403, ""},
		{"/", http.Header{"Host": {"attacker.example"}}, 421, ""},
	} {
		answer, body := get(t, s, test.path, test.header)
		if answer.StatusCode != test.code || !strings.Contains(body, test.want) {
			t.Errorf("%s %v: got %d %q", test.path, test.header, answer.StatusCode, body)
		}
		if policy := answer.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; script-src 'self'; ") || answer.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: the page may do %q", test.path, policy)
		}
		if strings.Contains(body, s.token) {
			t.Errorf("%s tells the token", test.path)
		}
	}
}

// The policy holds only of pages that keep to it, and noVNC's licences go with it.
func TestThePage(t *testing.T) {
	err := fs.WalkDir(files, "page", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Ext(name) != ".js" {
			return err
		}
		content, err := fs.ReadFile(files, name)
		for _, never := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"} {
			if bytes.Contains(content, []byte(never)) {
				t.Errorf("%s has %s", name, never)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	for _, licence := range []string{"LICENSE.txt", "AUTHORS", "LICENSE.MPL-2.0", "LICENSE.BSD-3-Clause", "vendor/pako/LICENSE"} {
		if _, err := fs.Stat(files, "page/novnc/"+licence); err != nil {
			t.Error(err)
		}
	}
}
