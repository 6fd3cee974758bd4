package webview

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// Others of the host open connections without end, say nothing on them or little at a
// time, and hold neither the page nor who views the screen.
func TestACrowdHoldsNobody(t *testing.T) {
	s := serve(t)
	viewer, _, err := dial(t, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer viewer.CloseNow()
	const many = 20 * maxStrangers
	var crowd []net.Conn
	defer func() {
		for _, c := range crowd {
			c.Close()
		}
	}()
	for i := range many {
		c, err := net.Dial("tcp", s.host)
		if err != nil {
			t.Fatal(err)
		}
		crowd = append(crowd, c)
		if i%2 == 0 { // which never ends its header
			_, _ = c.Write([]byte("GET / HTTP/1.1\r\nHost: ")) // the connection may be closed already
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if answer, _ := get(t, s, "/", http.Header{}); answer.StatusCode != http.StatusOK {
		t.Errorf("the page is not served: %s", answer.Status)
	}
	if err := viewer.Write(ctx, websocket.MessageBinary, []byte("a key")); err != nil {
		t.Fatal(err)
	}
	if _, got, err := viewer.Read(ctx); err != nil || string(got) != "a key" {
		t.Errorf("who views the screen has %q, %v", got, err)
	}
}

// The oldest of those who have not shown the token make way, and nobody else.
func TestTheOldestMakeWay(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &crowd{Listener: l}
	defer c.Close()
	const known, more = 1, 10
	var accepted []net.Conn
	for i := range maxStrangers + more {
		client, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		conn, err := c.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		accepted = append(accepted, conn)
		if i == known {
			trusted(withConnection(t.Context(), conn))
		}
	}
	if len(c.strangers) != maxStrangers {
		t.Errorf("the crowd has %d, want %d", len(c.strangers), maxStrangers)
	}
	for i, conn := range accepted {
		_, err := conn.Write([]byte("hello"))
		if closed := errors.Is(err, net.ErrClosed); closed != (i != known && i < more) {
			t.Errorf("connection %d: closed is %v: %v", i, closed, err)
		}
	}
}
