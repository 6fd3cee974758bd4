// Package orders is how a machine that has booted without a manifest is given one, over
// its port and before the channel: what it is then does not depend on when it booted, so
// a machine that waits for its orders can be saved, and restored as another one.
//
// The machine writes that it waits, once. What it is told begins with a magic of its own
// and a length, so that nothing that an earlier host has left in the port is taken for it.
package orders

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
)

// Orders are all that a machine is told which has booted without any.
type Orders struct {
	Manifest json.RawMessage `json:"manifest"` // as manifest.Encode has it
	Time     int64           `json:"time"`     // nanoseconds since 1970: a saved machine's clock has stood still
	Seed     []byte          `json:"seed"`     // random bytes, which no other machine is given
}

// SeedSize is how many random bytes a machine is given: as many as its kernel's pool has.
const SeedSize = 64

var (
	waitMagic  = []byte("\xff\x00sbx-guest-waits\n")
	orderMagic = []byte("\xff\x00sbx-host-orders\n")
	takenMagic = []byte("\xff\x00sbx-guest-takes\n")
)

// The most bytes that orders may have, and that may come before what is awaited.
const (
	maxOrders = 64 << 20
	maxBefore = 1 << 20
)

// Await says over a machine's port that it waits, and gives its orders. It reads no byte
// more: what follows is the channel's.
func Await(port io.ReadWriter) (*Orders, error) {
	if _, err := port.Write(waitMagic); err != nil {
		return nil, err
	}
	if err := skipTo(port, orderMagic); err != nil {
		return nil, fmt.Errorf("no orders have come: %w", err)
	}
	var size [4]byte
	if _, err := io.ReadFull(port, size[:]); err != nil {
		return nil, err
	}
	length := binary.BigEndian.Uint32(size[:])
	if length > maxOrders {
		return nil, tooLong(length)
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(port, text); err != nil {
		return nil, err
	}
	o := new(Orders)
	if err := json.Unmarshal(text, o); err != nil {
		return nil, fmt.Errorf("the orders cannot be read: %w", err)
	}
	_, err := port.Write(takenMagic)
	return o, err
}

// Waits returns when the machine at the other end waits for orders.
func Waits(port io.Reader) error { return skipTo(port, waitMagic) }

// Give gives a machine that waits its orders, and returns when it has taken them.
func Give(port io.ReadWriter, o *Orders) error {
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	if len(text) > maxOrders {
		return tooLong(uint32(min(len(text), math.MaxUint32)))
	}
	if _, err := port.Write(append(binary.BigEndian.AppendUint32(bytes.Clone(orderMagic), uint32(len(text))), text...)); err != nil {
		return err
	}
	return skipTo(port, takenMagic)
}

func tooLong(length uint32) error {
	return fmt.Errorf("orders of %d bytes are too long: %d at most", length, maxOrders)
}

// skipTo reads, a byte at a time, up to the end of magic, whose first byte stands nowhere
// else in it.
func skipTo(r io.Reader, magic []byte) error {
	matched := 0
	var b [1]byte
	for range maxBefore {
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return err
		}
		switch {
		case b[0] == magic[matched]:
			matched++
		case b[0] == magic[0]:
			matched = 1
		default:
			matched = 0
		}
		if matched == len(magic) {
			return nil
		}
	}
	return fmt.Errorf("%d bytes came that are none", maxBefore)
}
