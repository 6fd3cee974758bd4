package channel

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"syscall"
	"time"
)

// Stdio is what a session's command is connected to on the host. Stdin, Stdout
// and Stderr may be nil: nothing to read, and nobody who reads.
type Stdio struct {
	Stdin   io.Reader // read up to StdinWindow bytes ahead of the command; see Taker
	Stdout  io.Writer
	Stderr  io.Writer
	Resize  <-chan Size           // the terminal's new sizes
	Signals <-chan syscall.Signal // to be sent to the command

	// Beside, if it is not nil, speaks with the sandbox while the command of Run runs,
	// with which its context ends. An error of it ends the command, and is what Run gives.
	Beside func(context.Context, *Client) error

	// Ended, if it is not nil, is called when the command has ended and all its output has
	// come. A sandbox that ends with it waits for that to return, if not for long.
	Ended func()
}

// Exec runs a command beside the sandbox's own and waits for its end. A command
// that does not start is a *Failure. A failing write to Stdout or Stderr ends
// that output only: the command finds its pipe closed. A write that is under way when
// ctx ends may end only after Exec has returned.
func (c *Client) Exec(ctx context.Context, command Command, stdio Stdio) (Exit, error) {
	return c.session(ctx, Request{Op: OpExec, Command: &command}, stdio)
}

// Run starts the sandbox's own command, as Exec does; the sandbox ends with it.
func (c *Client) Run(ctx context.Context, command Command, stdio Stdio) (Exit, error) {
	r := Request{Op: OpRun, Command: &command}
	if stdio.Beside == nil {
		return c.session(ctx, r, stdio)
	}
	ctx, end := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := stdio.Beside(ctx, c); err != nil {
			end(err)
		}
	}()
	exit, err := c.session(ctx, r, stdio)
	end(nil)
	<-done
	return exit, err
}

func (c *Client) session(ctx context.Context, r Request, stdio Stdio) (Exit, error) {
	r.Command.Stdin = stdio.Stdin != nil
	from, to := c.takeOutput(stdio, r.Command.TTY != nil)
	var piped *direct
	if r.Command.Piped = from != nil; r.Command.Piped {
		defer func() {
			if piped == nil {
				from.Close()
			}
		}()
	}
	s, done, err := c.open(ctx, r)
	if err != nil {
		return Exit{}, err
	}
	defer done()
	f, err := s.reply()
	switch {
	case err != nil:
		return Exit{}, c.failure(ctx, err)
	case f.Kind == KindFailed:
		return Exit{}, parseFailure(f.Payload)
	case f.Kind != KindStarted:
		return Exit{}, unexpected(f)
	}

	if from != nil && bytes.Equal(f.Payload, []byte{outputPipe}) {
		piped = pass(from, to)
	}
	ended := make(chan struct{})
	defer close(ended)
	in := newStdin(stdio.Stdin)
	if stdio.Stdin != nil {
		go s.sendStdin(in, ended)
	}
	go s.sendEvents(stdio, ended)
	exit, err := s.receiveUntil(ctx, stdio, in)
	err = cmp.Or(err, piped.finish(ctx)) // also what has come of a sandbox that is gone
	if err != nil || ctx.Err() != nil {  // by the end of ctx the guest ends the command, and may say so before we leave
		return Exit{}, c.failure(ctx, err)
	}
	if stdio.Ended != nil {
		stdio.Ended() // the guest waits for the stream's end
	}
	return exit, nil
}

// sendEvents passes on signals and new terminal sizes.
func (s *stream) sendEvents(stdio Stdio, ended <-chan struct{}) {
	for {
		var err error
		select {
		case <-ended:
			return
		case size := <-stdio.Resize:
			err = writeJSON(s, KindResize, size)
		case signal := <-stdio.Signals:
			err = writeFrame(s, KindSignal, []byte{byte(signal)})
		}
		if err != nil {
			return
		}
	}
}

// leaveTime is how long, once a command's context has ended, whoever reads its output has
// to take what is under way.
const leaveTime = 2 * time.Second

// receiveUntil is receive for no longer than the context: whoever reads the output may have
// stopped doing so, and a write waits for that one for ever.
func (s *stream) receiveUntil(ctx context.Context, stdio Stdio, in *stdin) (Exit, error) {
	type end struct {
		exit Exit
		err  error
	}
	ended := make(chan end, 1)
	go func() {
		exit, err := s.receive(stdio, in)
		ended <- end{exit, err}
	}()
	select {
	case e := <-ended:
		return e.exit, e.err
	case <-ctx.Done(): // nothing more comes, and what has come is written out now or never
	}
	select {
	case e := <-ended:
		return e.exit, e.err
	case <-time.After(leaveTime):
		return Exit{}, context.Cause(ctx)
	}
}

// receive writes out what the command says until it has ended.
func (s *stream) receive(stdio Stdio, in *stdin) (Exit, error) {
	stdout := output{s: s, number: 1, w: stdio.Stdout}
	stderr := output{s: s, number: 2, w: stdio.Stderr}
	for {
		f, err := s.frames.next()
		if err != nil {
			return Exit{}, err
		}
		switch f.Kind {
		case KindStdout:
			err = stdout.write(f.Payload)
		case KindStderr:
			err = stderr.write(f.Payload)
		case KindTaken:
			err = in.take(f.Payload)
		case KindExit:
			return parseExit(f.Payload)
		case KindFailed:
			return Exit{}, parseFailure(f.Payload)
		default:
			return Exit{}, unexpected(f)
		}
		if err != nil {
			return Exit{}, err
		}
	}
}

// output is one of a command's outputs on the host.
type output struct {
	s      *stream
	number byte
	w      io.Writer
	told   bool // the guest knows that nobody reads it
}

// write passes data on, or, once nobody reads it, tells the guest so and drops
// what was still under way.
func (o *output) write(data []byte) error {
	if o.w != nil {
		if _, err := o.w.Write(data); err == nil {
			return nil
		}
		o.w = nil
	}
	if o.told {
		return nil
	}
	o.told = true
	return writeFrame(o.s, KindCloseOutput, []byte{o.number})
}
