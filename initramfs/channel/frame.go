package channel

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"slices"
)

// Kind says what a frame holds.
type Kind byte

// The kinds of frame. A stream opens with one KindRequest from the host, which
// KindStrings may precede.
const (
	// From the host.
	KindRequest     Kind = 1 // JSON Request
	KindStdin       Kind = 2 // bytes of standard input, or of a viewer
	KindStdinEOF    Kind = 3 // no more standard input
	KindSignal      Kind = 4 // one byte: a signal's number
	KindResize      Kind = 5 // JSON Size: the terminal has a new size
	KindCloseOutput Kind = 6 // one byte, 1 or 2: nobody reads this output any more
	KindStrings     Kind = 7 // a part of the strings of the request that follows, each ended by a NUL

	// From the guest.
	KindStarted Kind = 32 // the request is granted, the command runs; a 1 says that its output comes by the pipe
	KindFailed  Kind = 33 // JSON Failure: the last frame
	KindStdout  Kind = 34 // bytes of standard output, of the terminal, or for a viewer
	KindStderr  Kind = 35 // bytes of standard error
	KindTaken   Kind = 36 // eight bytes: how much of standard input the command has read, in bytes since its start
	KindExit    Kind = 37 // JSON Exit: the last frame
	KindStatus  Kind = 38 // JSON Status
	KindRecord  Kind = 39 // a Record of the service's output
	KindDone    Kind = 40 // a control request is fulfilled: the last frame
)

// Frame is the unit of a stream: a kind byte, the payload's length as two bytes,
// most significant first, and the payload.
type Frame struct {
	Kind    Kind
	Payload []byte
}

const frameHeader = 3

// writeFrame writes one frame with one Write, so that frames of several writers
// never mix and no multiplexed frame is larger than a frame of ours.
func writeFrame(w io.Writer, kind Kind, payload []byte) error {
	_, err := appendFrame(nil, w, kind, payload)
	return err
}

// appendFrame is writeFrame by a buffer that it may write over, and gives back.
func appendFrame(b []byte, w io.Writer, kind Kind, payload []byte) ([]byte, error) {
	if len(payload) > MaxPayload {
		return b, fmt.Errorf("frame of kind %d holds %d bytes, but %d is the most", kind, len(payload), MaxPayload)
	}
	b = slices.Grow(b[:0], frameHeader+len(payload))
	b = append(b, byte(kind))
	b = binary.BigEndian.AppendUint16(b, uint16(len(payload)))
	b = append(b, payload...)
	_, err := w.Write(b)
	return b, err
}

// writeJSON writes a frame whose payload is v as JSON.
func writeJSON(w io.Writer, kind Kind, v any) error {
	payload, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return writeFrame(w, kind, payload)
}

// frameReader reads frames into one buffer of MaxPayload bytes at most.
type frameReader struct {
	r   io.Reader
	buf []byte
}

// next returns the next frame, whose payload is valid until the following
// call. The error is io.EOF only between two frames.
func (f *frameReader) next() (Frame, error) {
	var header [frameHeader]byte
	if _, err := io.ReadFull(f.r, header[:]); err != nil {
		return Frame{}, err
	}
	n := int(binary.BigEndian.Uint16(header[1:]))
	if cap(f.buf) < n {
		f.buf = make([]byte, n)
	}
	payload := f.buf[:n]
	if _, err := io.ReadFull(f.r, payload); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return Frame{}, err
	}
	return Frame{Kind(header[0]), payload}, nil
}
