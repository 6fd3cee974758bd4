package channel

import (
	"context"
	"errors"
	"net"
	"sync"
)

// Forward passes a request of another host process on to the guest, and the
// frames of both until either ends. It is how several processes share a stream
// that only one can hold: that one serves the others with
//
//	Serve(conn, client.Forward)
//
// What comes from the guest is bounded here and checked by whoever asked.
func (c *Client) Forward(r Request, from *Stream) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	to, done, err := c.open(ctx, r)
	if err != nil {
		_ = from.Fail(ReasonFailed, err.Error()) // or the other process is gone
		return
	}
	defer done()
	go func() {
		defer cancel() // closes the guest's stream, which ends the request there
		for {
			f, err := from.Receive()
			if err != nil || writeFrame(to, f.Kind, f.Payload) != nil {
				return
			}
		}
	}()
	for {
		f, err := to.frames.next()
		if err != nil || from.Send(f.Kind, f.Payload) != nil {
			return
		}
	}
}

// Share serves other host processes that connect to l with Forward, until l is
// closed. It returns when all requests that are under way then have ended.
func (c *Client) Share(l net.Listener) {
	var under sync.RWMutex // held by each request
	forward := func(r Request, s *Stream) {
		under.RLock()
		defer under.RUnlock()
		c.Forward(r, s)
	}
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			break
		}
		if err != nil {
			continue
		}
		go func() {
			defer conn.Close()
			_ = Serve(conn, forward) // until the other process leaves
		}()
	}
	under.Lock()
	defer under.Unlock()
}
