package webview

import (
	"context"
	"net"
	"sync"
)

// maxStrangers is how many connections there are at most of clients that have not shown
// the token. A browser makes six at a time, and others of the host's users any number.
const maxStrangers = 64

// crowd is the connections of clients that have not shown the token. The newest is let
// in always, and the oldest makes way: whoever holds connections open, and is slow on
// all of them, holds the page from nobody.
type crowd struct {
	net.Listener

	mu        sync.Mutex
	strangers []*stranger // by their age
}

// stranger is a connection of the crowd's.
type stranger struct {
	net.Conn
	of *crowd
}

// Accept waits for the next client.
func (c *crowd) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	s := &stranger{conn, c}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.strangers = append(c.strangers, s)
	if len(c.strangers) > maxStrangers {
		c.strangers[0].Conn.Close() // which its own reader sees
		c.strangers = c.strangers[1:]
	}
	return s, nil
}

// Close is the connection's end.
func (s *stranger) Close() error {
	s.trust()
	return s.Conn.Close()
}

// trust takes the connection out of the crowd: its client knows the token, or is gone.
func (s *stranger) trust() {
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	for i, other := range s.of.strangers {
		if other == s {
			s.of.strangers = append(s.of.strangers[:i:i], s.of.strangers[i+1:]...)
			return
		}
	}
}

// connection is the key of a request's connection in its context.
type connection struct{}

func withConnection(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connection{}, conn)
}

// trusted takes a request's connection out of the crowd.
func trusted(ctx context.Context) {
	if s, ok := ctx.Value(connection{}).(*stranger); ok {
		s.trust()
	}
}
