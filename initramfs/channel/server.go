package channel

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"

	"github.com/hashicorp/yamux"
)

// Handler answers one request of the host's. The stream is closed when it
// returns.
type Handler func(Request, *Stream)

// Stream is the guest's end of one request. Its methods may be called at the
// same time, except that one goroutine alone may receive.
type Stream struct {
	s      io.ReadWriteCloser
	frames frameReader
	passed *receiving // nil where no descriptors can be passed
	mu     sync.Mutex
	out    []byte // the frame that was sent last, whose place the next one takes
}

// Receive returns the next frame, whose payload is valid until the next call.
// The error is io.EOF when the host has closed the stream, and another when the
// channel was lost.
func (s *Stream) Receive() (Frame, error) { return s.frames.next() }

// Send sends a frame; it waits while the host takes none.
func (s *Stream) Send(kind Kind, payload []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	s.out, err = appendFrame(s.out, s.s, kind, payload)
	return err
}

// SendJSON sends v as JSON in a frame.
func (s *Stream) SendJSON(kind Kind, v any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return writeJSON(s.s, kind, v)
}

// SendRecord sends a record of the service's output.
func (s *Stream) SendRecord(r Record) error { return s.Send(KindRecord, r.encode()) }

// SendStatus sends the state of the sandbox's command.
func (s *Stream) SendStatus(status Status) error {
	return s.SendJSON(KindStatus, wireStatus{status, []byte(status.Message), []byte(status.Text)})
}

// SendTaken tells how much of standard input the command has read since its
// start, in bytes.
func (s *Stream) SendTaken(total uint64) error {
	return s.Send(KindTaken, binary.BigEndian.AppendUint64(nil, total))
}

// Fail ends the request with a failure.
func (s *Stream) Fail(reason Reason, message string) error {
	if len(message) > maxMessage {
		message = message[:maxMessage]
	}
	return s.SendJSON(KindFailed, wireFailure{reason, []byte(message)})
}

// Serve answers one host after the other on a byte stream that outlives them,
// until reading from it fails. A host that greets anew replaces the one before,
// whose requests all end first.
func Serve(rw io.ReadWriter, handle Handler) error {
	var passed *receiving
	if socket, ok := rw.(*net.UnixConn); ok {
		passed = &receiving{UnixConn: socket}
		defer passed.put(nil)
		rw = passed
	}
	in := bufio.NewReaderSize(rw, 2*chunk)
	for {
		if err := answer(rw, in); errors.Is(err, errVersion) {
			continue
		} else if err != nil {
			return err
		}
		if err := serveHost(rw, in, passed, handle); err != nil && !errors.Is(err, errForeign) {
			return err
		}
	}
}

// serveHost serves one host until it is gone; the error is what the byte stream
// gave at its end.
func serveHost(w io.Writer, in *bufio.Reader, passed *receiving, handle Handler) error {
	r := &lastError{r: &guard{in: in}}
	mux, err := yamux.Server(guarded{r, &joined{w: w}, io.NopCloser(nil)}, guestConfig())
	if err != nil {
		return err
	}
	var requests sync.WaitGroup
	for {
		s, err := mux.AcceptStream()
		if err != nil {
			break
		}
		requests.Go(func() {
			defer s.Close()
			serveStream(&Stream{s: s, frames: frameReader{r: s}, passed: passed}, handle)
		})
	}
	mux.Close() // returns when the last frame under way is written
	requests.Wait()
	return r.err
}

func serveStream(s *Stream, handle Handler) {
	r, err := readRequest(&s.frames)
	if errors.Is(err, errRequest) {
		_ = s.Fail(ReasonRefused, err.Error()) // the host is told, or is gone
	}
	if err == nil {
		handle(r, s)
	}
}

// lastError remembers the error that ended a reader.
type lastError struct {
	r   io.Reader
	err error
}

func (l *lastError) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if err != nil {
		l.err = err
	}
	return n, err
}
