package channel

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"sync/atomic"
)

// errForeign is what a guard answers when the next bytes are no frame that the
// peer may send. They stay unread, so that a guest can look for a new host's
// greeting in them.
var errForeign = errors.New("the peer does not speak sbx's channel protocol")

// The part of yamux's framing that the guard looks at
// (https://github.com/hashicorp/yamux/blob/master/spec.md).
const (
	muxHeader = 12
	muxData   = 0
	muxWindow = 1
	muxGoAway = 3
	muxSYN    = 1
	muxFlags  = 0xf

	maxMuxBody = frameHeader + MaxPayload
)

// guard lets through only those multiplexer frames that our own peer sends:
// streams that the host opens, data of one frame of ours at a time, no pings.
// yamux by itself answers each ping on a new goroutine and keeps what the peer
// opens, which a hostile guest could use to fill the host's memory.
type guard struct {
	in        *bufio.Reader
	fromGuest bool
	refused   atomic.Bool // something was not let through
	left      int         // bytes of the present frame, its header included, that are still to be passed on
}

// Read implements io.Reader.
func (g *guard) Read(p []byte) (int, error) {
	if g.left == 0 {
		header, err := g.in.Peek(muxHeader)
		if err != nil {
			return 0, err
		}
		body, ok := g.admit(header)
		if !ok {
			g.refused.Store(true)
			return 0, errForeign
		}
		g.left = muxHeader + body
	}
	n, err := g.in.Read(p[:min(len(p), g.left)])
	g.left -= n
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// admit tells whether a frame with this header may pass, and its body's length.
func (g *guard) admit(header []byte) (body int, ok bool) {
	version, kind := header[0], header[1]
	flags := binary.BigEndian.Uint16(header[2:])
	stream := binary.BigEndian.Uint32(header[4:])
	length := binary.BigEndian.Uint32(header[8:])
	opens := flags&muxSYN != 0
	switch {
	case version != 0 || flags&^muxFlags != 0:
		return 0, false
	case kind == muxGoAway:
		return 0, stream == 0 && flags == 0
	case kind != muxData && kind != muxWindow, stream%2 == 0, opens && g.fromGuest:
		return 0, false
	case kind == muxWindow:
		return 0, true
	}
	return int(min(length, maxMuxBody+1)), length <= maxMuxBody
}
