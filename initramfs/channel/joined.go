package channel

import (
	"encoding/binary"
	"io"
)

// joined has the header of a multiplexed frame and its body written at once: yamux
// writes one after the other, and wakes the reader twice by that.
type joined struct {
	w    io.Writer
	held []byte // a header whose body is to come, and room for that
}

// Write implements io.Writer. An error of a header's writing shows with its body.
func (j *joined) Write(p []byte) (int, error) {
	if len(j.held) == 0 {
		if len(p) == muxHeader && p[1] == muxData && binary.BigEndian.Uint32(p[8:]) > 0 {
			j.held = append(j.held, p...)
			return len(p), nil
		}
		return j.w.Write(p)
	}
	j.held = append(j.held, p...)
	n, err := j.w.Write(j.held)
	j.held = j.held[:0]
	return max(0, min(n-muxHeader, len(p))), err
}
