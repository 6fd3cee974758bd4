// Package webview shows a sandbox's screen in a browser of this host: a page of noVNC
// on a loopback address, for whoever knows its token.
//
// Every user of the host and every page that a browser has open can reach that address,
// so that each request must name it as its host (no name that an attacker's DNS server
// has pointed here), what is not the page's own files needs the token, and the screen
// besides the page's origin. The page is let do nothing but show the screen, by a policy
// that its browser holds: the guest's pixels and text stay pixels and text.
package webview

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// Screen is what the page shows and may do.
type Screen struct {
	// View passes bytes between a viewer and the screen, until either ends.
	View func(ctx context.Context, viewer io.ReadWriteCloser) error `json:"-"`

	Name         string `json:"name"`
	ClipboardIn  bool   `json:"clipboardIn"`  // text may be copied into the sandbox
	ClipboardOut bool   `json:"clipboardOut"` // and out of it
	Resize       bool   `json:"resize"`       // the window changes the screen's size
	ViewOnly     bool   `json:"viewOnly"`     // no keys and no clicks
}

// Server shows one screen.
type Server struct {
	screen   Screen
	token    string
	listener net.Listener
	host     string
}

// protocol is how the page and its server speak with each other in a web socket; the
// page offers its token beside it.
const (
	protocol    = "sbx"
	tokenPrefix = "token."
)

// Bounds of what a client of the page may cost.
const (
	headerTime = 10 * time.Second // to send a request's header
	answerTime = time.Minute      // to take its answer, but for the screen
	idleTime   = 2 * time.Minute  // between two requests
	maxHeader  = 16 << 10         // bytes
)

// Listen makes a page for a screen on a free port of 127.0.0.1.
func Listen(s Screen) (*Server, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return &Server{s, rand.Text(), l, l.Addr().String()}, nil
}

// URL is the page's address. Its last part, which browsers send to nobody, is the token.
func (s *Server) URL() string { return "http://" + s.host + "/#" + s.token }

// Serve answers until ctx ends.
func (s *Server) Serve(ctx context.Context) error {
	h := &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: headerTime,
		WriteTimeout:      answerTime,
		IdleTimeout:       idleTime,
		ConnContext:       withConnection,
		MaxHeaderBytes:    maxHeader,
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	stop := context.AfterFunc(ctx, func() { h.Close() })
	defer stop()
	if err := h.Serve(&crowd{Listener: s.listener}); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /screen", s.view)
	mux.HandleFunc("GET /about", s.about)
	mux.HandleFunc("GET /", file)
	return s.guard(mux)
}

// policy is what a page of ours may do: run its own scripts, and speak with its server.
// Scripts cannot be made of text, and noVNC draws pictures from data.
func (s *Server) policy() string {
	return strings.Join([]string{
		"default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src data:",
		"connect-src http://" + s.host + " ws://" + s.host,
		"frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'",
		"require-trusted-types-for 'script'", "trusted-types 'none'",
	}, "; ")
}

// guard refuses requests for another host or from another origin, and has browsers
// keep what they get to this page.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", s.policy())
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), clipboard-read=(), clipboard-write=(), geolocation=(), microphone=()")
		h.Set("Cache-Control", "no-store")
		origin := r.Header.Get("Origin")
		switch {
		case r.Host != s.host:
			http.Error(w, "this page is http://"+s.host, http.StatusMisdirectedRequest)
		case origin != "" && origin != "http://"+s.host:
			http.Error(w, "not for pages of another origin", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// knows says whether a client has the token.
func (s *Server) knows(token string) bool {
	return subtle.ConstantTimeCompare([]byte(token), []byte(s.token)) == 1
}

// about tells the page what it shows.
func (s *Server) about(w http.ResponseWriter, r *http.Request) {
	if !s.knows(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")) {
		http.Error(w, "the token is not this page's", http.StatusForbidden)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s.screen) // a browser that has gone needs none
}

// view connects the page to the screen.
func (s *Server) view(w http.ResponseWriter, r *http.Request) {
	offered := strings.FieldsFunc(r.Header.Get("Sec-WebSocket-Protocol"), func(c rune) bool { return c == ',' || c == ' ' })
	known := slices.ContainsFunc(offered, func(p string) bool {
		token, is := strings.CutPrefix(p, tokenPrefix)
		return is && s.knows(token)
	})
	if !known || r.Header.Get("Origin") == "" {
		http.Error(w, "the screen is for its own page, with its token", http.StatusForbidden)
		return
	}
	trusted(r.Context())
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{protocol}})
	if err != nil {
		return // it has answered
	}
	defer ws.CloseNow()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	conn := websocket.NetConn(ctx, ws, websocket.MessageBinary) // of any length, piece by piece
	if err := s.screen.View(ctx, &viewer{conn, ctx}); err != nil {
		_ = ws.Close(websocket.StatusInternalError, reason(err))
		return
	}
	_ = ws.Close(websocket.StatusNormalClosure, "")
}

// viewer is a browser's end, which stays open until it can be told why it is closed.
type viewer struct {
	net.Conn
	ctx context.Context
}

// Close closes a viewer that is to be waited for no longer.
func (v *viewer) Close() error {
	if v.ctx.Err() != nil {
		return v.Conn.Close()
	}
	return nil
}

// reason is an error as a web socket can tell it (RFC 6455, 5.5.1).
func reason(err error) string {
	const most = 120
	text := err.Error()
	return strings.ToValidUTF8(text[:min(len(text), most)], "")
}
