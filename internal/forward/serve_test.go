package forward

import (
	"bytes"
	"crypto/rand"
	"io"
	"net"
	"sync"
	"testing"
)

// TestPass sends through a forwarder to a server that answers only when it has
// read all: each direction must be whole, and its end must be handed on.
func TestPass(t *testing.T) {
	server := listenLocal(t)
	go func() {
		for {
			c, err := server.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if data, err := io.ReadAll(c); err == nil {
					c.Write(data)
				}
			}()
		}
	}()
	port := listenLocal(t)
	go accept(port, server.Addr().String(), make(chan struct{}, 2))

	sent := make([]byte, 3<<20)
	rand.Read(sent)
	var clients sync.WaitGroup
	for range 5 { // more than may be under way at once
		clients.Go(func() {
			c, err := net.Dial("tcp", port.Addr().String())
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			go func() {
				c.Write(sent)
				c.(*net.TCPConn).CloseWrite()
			}()
			if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, sent) {
				t.Errorf("%d of %d bytes came back: %v", len(got), len(sent), err)
			}
		})
	}
	clients.Wait()
}

// TestPassRefused has nobody at the target: the client sees its connection end.
func TestPassRefused(t *testing.T) {
	gone := listenLocal(t)
	gone.Close()
	port := listenLocal(t)
	go accept(port, gone.Addr().String(), make(chan struct{}, 1))
	c, err := net.Dial("tcp", port.Addr().String())
	if err != nil {
		return // it has ended before it was ours
	}
	defer c.Close()
	if n, err := c.Read(make([]byte, 1)); err == nil {
		t.Errorf("read %d bytes from nobody", n)
	}
}

func listenLocal(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}
