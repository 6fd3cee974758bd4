package channel

import (
	"context"
	"io"
)

// View connects a viewer to the sandbox's screen, whose bytes (RFB, RFC 6143) it copies
// and does not look at, until the viewer has closed its end, the sandbox has ended or
// ctx ends. A sandbox without a screen, or one that somebody else views where shared is
// not set, is a *Failure. The viewer is closed when View returns.
func (c *Client) View(ctx context.Context, shared bool, viewer io.ReadWriteCloser) error {
	defer viewer.Close()
	stop := context.AfterFunc(ctx, func() { viewer.Close() }) // it may take nothing
	defer stop()
	s, done, err := c.open(ctx, Request{Op: OpDisplay, Shared: shared})
	if err != nil {
		return err
	}
	defer done()
	f, err := s.reply()
	switch {
	case err != nil:
		return c.failure(ctx, err)
	case f.Kind == KindFailed:
		return parseFailure(f.Payload)
	case f.Kind != KindStarted:
		return unexpected(f)
	}
	left := make(chan struct{})
	go func() {
		defer s.Close() // the guest sees that the viewer has gone
		defer close(left)
		s.sendViewer(viewer)
	}()
	err = s.showViewer(viewer)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	select {
	case <-left: // by which all else has come
		return nil
	default:
	}
	if err != nil {
		return c.failure(ctx, err)
	}
	return nil
}

// sendViewer passes on what the viewer says, until it has gone.
func (s *stream) sendViewer(viewer io.Reader) {
	buf := make([]byte, chunk)
	for {
		n, err := viewer.Read(buf)
		if n > 0 && writeFrame(s, KindStdin, buf[:n]) != nil || err != nil {
			return
		}
	}
}

// showViewer passes on what the screen's server says. The error is nil when the
// sandbox has ended or the viewer takes no more.
func (s *stream) showViewer(viewer io.Writer) error {
	for {
		f, err := s.frames.next()
		switch {
		case err != nil:
			return err
		case f.Kind == KindDone:
			return nil
		case f.Kind == KindFailed:
			return parseFailure(f.Payload)
		case f.Kind != KindStdout:
			return unexpected(f)
		}
		if _, err := viewer.Write(f.Payload); err != nil {
			return nil
		}
	}
}
