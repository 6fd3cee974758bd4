package forward

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"
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
	go newPort(port, server.Addr().String(), 5).accept()

	sent := make([]byte, 3<<20)
	rand.Read(sent)
	var clients sync.WaitGroup
	for range 5 {
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
	go newPort(port, gone.Addr().String(), 1).accept()
	c, err := net.Dial("tcp", port.Addr().String())
	if err != nil {
		return // it has ended before it was ours
	}
	defer c.Close()
	if n, err := c.Read(make([]byte, 1)); err == nil {
		t.Errorf("read %d bytes from nobody", n)
	}
}

// TestShares has one client open more connections than a port has, over which nothing
// is said: another one is served all the same, and so is what the first one speaks on.
func TestShares(t *testing.T) {
	const budget = 32
	server := listenLocal(t)
	go echo(server)
	l := listenLocal(t)
	go newPort(l, server.Addr().String(), budget).accept()
	speaking := dialFrom(t, l, "127.0.0.2")
	if got := say(speaking, "a"); got != "a" {
		t.Fatalf("the first one: %s", got)
	}
	for range 3 * budget {
		_, _ = tryFrom(t, l, "127.0.0.2") // the more it has, the more is refused
	}
	for i := range budget / 2 { // each with as many as the first one then has
		c := dialFrom(t, l, "127.0.0.3")
		if got := say(c, "b"); got != "b" {
			t.Fatalf("the other client's %d. connection: %s", i+1, got)
		}
	}
	if got := say(speaking, "c"); got != "c" {
		t.Errorf("what the first one spoke on: %s", got)
	}
	// Its share is not more: the other client takes none of it.
	if c, err := tryFrom(t, l, "127.0.0.3"); err == nil && say(c, "d") == "d" {
		t.Error("the other client has more than its share")
	}
}

// TestSilence ends connections over which nothing has been said, and no others.
func TestSilence(t *testing.T) {
	server := listenLocal(t)
	go echo(server)
	l := listenLocal(t)
	p := newPort(l, server.Addr().String(), 8)
	if p.silence <= 0 || p.silence > 10*time.Minute {
		t.Errorf("a port that nobody speaks on stays taken for %v", p.silence)
	}
	p.silence = 2 * time.Second
	go p.accept()
	speaking := dialFrom(t, l, "127.0.0.1")
	for n, got := 0, say(speaking, "a"); got != "a"; n, got = n+1, say(speaking, "a") { // this host may be slower than that
		if n == 10 {
			t.Fatal(got)
		}
		speaking = dialFrom(t, l, "127.0.0.1")
	}
	silent := dialFrom(t, l, "127.0.0.1")
	if n, err := silent.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the silent one: %d bytes, %v", n, err)
	}
	time.Sleep(p.silence)
	if got := say(speaking, "b"); got != "b" {
		t.Errorf("what has been spoken on: %s", got)
	}
}

// TestBudget gives each port of its own.
func TestBudget(t *testing.T) {
	server := listenLocal(t)
	go echo(server)
	for range 2 {
		l := listenLocal(t)
		go newPort(l, server.Addr().String(), 1).accept()
		if got := say(dialFrom(t, l, "127.0.0.1"), "a"); got != "a" {
			t.Errorf("beside a port that is full: %s", got)
		}
	}
	if n, err := connections(); err != nil || n < 1 || n > maxConnections {
		t.Errorf("%d connections, %v", n, err)
	}
}

// echo gives back what comes.
func echo(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			_, _ = io.Copy(c, c)
		}()
	}
}

func dialFrom(t *testing.T, l net.Listener, address string) net.Conn {
	t.Helper()
	c, err := tryFrom(t, l, address)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// tryFrom connects from an address.
func tryFrom(t *testing.T, l net.Listener, address string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	c, err := d.Dial("tcp", l.Addr().String())
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { c.Close() })
	return c, c.SetDeadline(time.Now().Add(time.Minute))
}

// say sends a word, and gives what comes back, or the error.
func say(c net.Conn, word string) string {
	if _, err := c.Write([]byte(word)); err != nil {
		return err.Error()
	}
	got := make([]byte, len(word))
	if _, err := io.ReadFull(c, got); err != nil {
		return err.Error()
	}
	return string(got)
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
