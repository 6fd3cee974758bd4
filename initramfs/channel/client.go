package channel

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/yamux"
)

// Client is the host's end of a channel. Its methods may be called at the same
// time; each uses a stream of its own with its own backpressure.
type Client struct {
	conn  io.Closer
	guard *guard
	mux   *yamux.Session

	output     *os.File // where the output of one command may come; nil where it cannot
	outputOnce sync.Once
}

// Dial greets the guest at the other end of conn and takes conn over, also when
// it fails. It waits for a guest that is not up yet until ctx ends.
func Dial(ctx context.Context, conn io.ReadWriteCloser) (*Client, error) {
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	in := bufio.NewReaderSize(conn, 2*chunk)
	err := greet(conn, in)
	if !stop() {
		return nil, fmt.Errorf("the sandbox's first process did not answer: %w", context.Cause(ctx))
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("the sandbox's first process did not answer: %w", err)
	}
	g := &guard{in: in, fromGuest: true}
	mux, err := yamux.Client(guarded{g, &joined{w: conn}, conn}, hostConfig())
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &Client{conn: conn, guard: g, mux: mux}, nil
}

// guarded is a connection whose reading end is a guard.
type guarded struct {
	io.Reader
	io.Writer
	io.Closer
}

// Close ends the channel and all that is under way on it.
func (c *Client) Close() error {
	c.conn.Close() // first, so that a write that the guest does not take ends
	c.outputOnce.Do(func() {
		if c.output != nil {
			c.output.Close()
		}
	})
	return c.mux.Close()
}

// Done is closed when the channel has ended.
func (c *Client) Done() <-chan struct{} { return c.mux.CloseChan() }

// past is a time that is over: a deadline that ends what waits.
var past = time.Unix(1, 0)

// stream is one request under way.
type stream struct {
	*yamux.Stream
	frames frameReader
}

// open sends a request on a new stream. The stream is closed when ctx ends.
func (c *Client) open(ctx context.Context, r Request) (*stream, func(), error) {
	s, err := c.mux.OpenStream()
	if err != nil {
		return nil, nil, c.lost(err)
	}
	stop := context.AfterFunc(ctx, func() { s.Close(); s.SetDeadline(past) })
	done := func() { stop(); s.Close() }
	if err := writeRequest(s, r); err != nil {
		done()
		return nil, nil, c.failure(ctx, err)
	}
	return &stream{s, frameReader{r: s}}, done, nil
}

// reply waits for the next frame, but not for ever.
func (s *stream) reply() (Frame, error) {
	s.SetReadDeadline(time.Now().Add(replyTimeout))
	f, err := s.frames.next()
	s.SetReadDeadline(time.Time{})
	return f, err
}

// failure is err, or the reason why the context or the channel ended.
func (c *Client) failure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.Is(err, yamux.ErrTimeout) {
		return fmt.Errorf("the sandbox did not answer within %v", replyTimeout)
	}
	if c.mux.IsClosed() || errors.Is(err, io.EOF) || errors.Is(err, yamux.ErrStreamClosed) {
		return c.lost(err)
	}
	return err
}

// ErrLost says that the sandbox, or the connection to it, ended in the midst of
// a request.
var ErrLost = errors.New("the connection to the sandbox was lost")

func (c *Client) lost(err error) error {
	switch {
	case c.guard.refused.Load():
		return fmt.Errorf("%w: what its first process sends is not sbx's channel protocol", ErrLost)
	case errors.Is(err, io.EOF):
		return ErrLost
	}
	return fmt.Errorf("%w (%v)", ErrLost, err)
}

func unexpected(f Frame) error {
	return fmt.Errorf("the guest sent a frame of kind %d where none may come", f.Kind)
}

// Watch calls see with the sandbox's state, now and at every change, until see
// returns false, the command has ended for good or ctx ends.
func (c *Client) Watch(ctx context.Context, see func(Status) bool) error {
	s, done, err := c.open(ctx, Request{Op: OpStatus})
	if err != nil {
		return err
	}
	defer done()
	f, err := s.reply()
	for ; err == nil; f, err = s.frames.next() {
		if f.Kind == KindDone {
			return nil
		}
		if f.Kind != KindStatus {
			return unexpected(f)
		}
		status, err := parseStatus(f.Payload)
		if err != nil {
			return err
		}
		if !see(status) {
			return nil
		}
	}
	return c.failure(ctx, err)
}

// Status tells the sandbox's state now.
func (c *Client) Status(ctx context.Context) (status Status, err error) {
	err = c.Watch(ctx, func(s Status) bool { status = s; return false })
	return status, err
}

// WaitEnd waits until the command has ended for good, and gives its last state.
// A sandbox that ends before its command does is an error.
func (c *Client) WaitEnd(ctx context.Context) (last Status, err error) {
	err = c.Watch(ctx, func(s Status) bool {
		last = s
		return s.State != Ended
	})
	if err == nil && last.State != Ended {
		err = errors.New("the sandbox ended before its command did")
	}
	return last, err
}

// Stop has the service end by its stop signal, and the sandbox with it. It calls ended
// when the service has ended, and the sandbox waits for that to return, if not for long.
func (c *Client) Stop(ctx context.Context, ended func()) error {
	return c.controlThen(ctx, Request{Op: OpStop}, ended)
}

// Restart stops the service by its stop signal and starts it again.
func (c *Client) Restart(ctx context.Context) error {
	return c.control(ctx, Request{Op: OpRestart})
}

// Reload has the service read its configuration anew, in the way of its profile. A
// *Failure says why it has not, or what went wrong with it.
func (c *Client) Reload(ctx context.Context) error {
	return c.control(ctx, Request{Op: OpReload})
}

// Signal sends a signal to the first process of the sandbox's own command. Where none
// runs just then, it is a *Failure.
func (c *Client) Signal(ctx context.Context, signal syscall.Signal) error {
	ctx, cancel := context.WithTimeoutCause(ctx, replyTimeout, fmt.Errorf("the sandbox did not pass it on within %v", replyTimeout))
	defer cancel()
	return c.control(ctx, Request{Op: OpSignal, Signal: int(signal)})
}

// SendSecret has the sandbox write a secret to its file.
func (c *Client) SendSecret(ctx context.Context, secret Secret) error {
	ctx, cancel := context.WithTimeoutCause(ctx, replyTimeout, fmt.Errorf("the sandbox did not take it within %v", replyTimeout))
	defer cancel()
	return c.control(ctx, Request{Op: OpSecret, Secret: &secret})
}

// control asks for something that is answered with KindDone. How long it takes
// is the service's own matter (its stop timeout), so only ctx bounds it.
func (c *Client) control(ctx context.Context, r Request) error {
	return c.controlThen(ctx, r, func() {})
}

// controlThen is control, and calls granted before the guest hears that the answer has come.
func (c *Client) controlThen(ctx context.Context, r Request, granted func()) error {
	s, done, err := c.open(ctx, r)
	if err != nil {
		return err
	}
	defer done()
	f, err := s.frames.next()
	switch {
	case err != nil:
		return c.failure(ctx, err)
	case f.Kind == KindFailed:
		return parseFailure(f.Payload)
	case f.Kind != KindDone:
		return unexpected(f)
	}
	granted()
	return nil
}

// Output calls see with the service's output from record number from on: what
// sbx-init still holds, and with follow all that comes. A record's Data is valid
// during the call only. The error is nil when there is no more to come.
func (c *Client) Output(ctx context.Context, from uint64, follow bool, see func(Record) error) error {
	s, done, err := c.open(ctx, Request{Op: OpOutput, From: from, Follow: follow})
	if err != nil {
		return err
	}
	defer done()
	for {
		f, err := s.frames.next()
		switch {
		case err != nil:
			return c.failure(ctx, err)
		case f.Kind == KindDone:
			return nil
		case f.Kind != KindRecord:
			return unexpected(f)
		}
		record, err := parseRecord(f.Payload)
		if err != nil {
			return err
		}
		if err := see(record); err != nil {
			return err
		}
	}
}
