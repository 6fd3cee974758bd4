// Package rfbtest is a viewer for tests of screens: it types, clicks, asks for another
// size and passes copied text on (RFC 6143, and the community's protocol for sizes).
package rfbtest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// extendedSize is the encoding by which a server tells its size and how it answers to
// a wish for another one.
const extendedSize = -308

// Size is the screen's, or what a server answers to a wish.
type Size struct {
	Width, Height int
	Refused       bool // the server does not let this viewer change it
}

// Viewer is a connection to a screen's server.
type Viewer struct {
	Copied <-chan string // what was copied inside
	Sizes  <-chan Size

	conn net.Conn
	in   *bufio.Reader
	mu   sync.Mutex // of what is sent
	err  error      // why reading has ended
	done chan struct{}
}

// Connect greets the server at the other end of conn. Whatever the server sends is
// read until Close, so that it never waits.
func Connect(conn net.Conn) (*Viewer, error) {
	copied, sizes := make(chan string, 100), make(chan Size, 100)
	v := &Viewer{Copied: copied, Sizes: sizes, conn: conn, in: bufio.NewReader(conn), done: make(chan struct{})}
	width, height, err := v.greet()
	if err != nil {
		conn.Close()
		return nil, err
	}
	if err := v.send([]byte{2, 0, 0, 2}, uint32(0), int32(extendedSize), update(0, width, height)); err != nil { // raw pixels
		conn.Close()
		return nil, err
	}
	go func() {
		defer close(v.done)
		v.err = v.read(copied, sizes)
	}()
	return v, nil
}

// Close leaves, and says what was wrong with what the server sent.
func (v *Viewer) Close() error {
	v.conn.Close()
	<-v.done
	if errors.Is(v.err, io.ErrClosedPipe) || errors.Is(v.err, net.ErrClosed) || errors.Is(v.err, io.EOF) {
		return nil
	}
	return v.err
}

// Key presses a key and lets it go, by its number in X (keysymdef.h).
func (v *Viewer) Key(symbol uint32) error {
	return v.send([]byte{4, 1, 0, 0}, symbol, []byte{4, 0, 0, 0}, symbol)
}

// Click moves the pointer and presses a button there, from 1; 0 moves it alone.
func (v *Viewer) Click(button, x, y int) error {
	at := []uint16{uint16(x), uint16(y)}
	return v.send([]byte{5, 0}, at, []byte{5, byte(1 << button >> 1)}, at, []byte{5, 0}, at)
}

// Copy offers text that was copied outside.
func (v *Viewer) Copy(text string) error {
	return v.send([]byte{6, 0, 0, 0}, uint32(len(text)), []byte(text))
}

// Resize wishes for another size, of one screen.
func (v *Viewer) Resize(width, height int) error {
	w, h := uint16(width), uint16(height)
	return v.send([]byte{251, 0}, w, h, []byte{1, 0}, uint32(0), uint16(0), uint16(0), w, h, uint32(0))
}

func update(incremental byte, width, height uint16) []byte {
	b := []byte{3, incremental, 0, 0, 0, 0}
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, width), height)
}

// send writes values of a fixed size, as one.
func (v *Viewer) send(values ...any) (err error) {
	var b []byte
	for _, value := range values {
		if b, err = binary.Append(b, binary.BigEndian, value); err != nil {
			return err
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	_, err = v.conn.Write(b)
	return err
}

func (v *Viewer) greet() (width, height uint16, err error) {
	var version [12]byte
	if err := binary.Read(v.in, binary.BigEndian, &version); err != nil {
		return 0, 0, err
	}
	if err := v.send(version); err != nil {
		return 0, 0, err
	}
	var security struct{ Count, Kind uint8 }
	if err := binary.Read(v.in, binary.BigEndian, &security); err != nil {
		return 0, 0, err
	}
	if err := v.send(security.Kind); err != nil {
		return 0, 0, err
	}
	var result uint32
	if err := binary.Read(v.in, binary.BigEndian, &result); err != nil || result != 0 {
		return 0, 0, fmt.Errorf("the server refuses: %d, %w", result, err)
	}
	if err := v.send(uint8(1)); err != nil { // beside others
		return 0, 0, err
	}
	var screen struct {
		Width, Height uint16
		Format        [16]byte
		Name          uint32
	}
	if err := binary.Read(v.in, binary.BigEndian, &screen); err != nil {
		return 0, 0, err
	}
	_, err = v.in.Discard(int(screen.Name))
	return screen.Width, screen.Height, err
}

// read takes in what the server sends, and asks for more.
func (v *Viewer) read(copied chan<- string, sizes chan<- Size) error {
	for {
		kind, err := v.in.ReadByte()
		if err != nil {
			return err
		}
		switch kind {
		case 0:
			err = v.readUpdate(sizes)
		case 2: // the bell
		case 3:
			err = v.readCopied(copied)
		default:
			return fmt.Errorf("the server sends a message of kind %d", kind)
		}
		if err != nil {
			return err
		}
	}
}

func (v *Viewer) readCopied(copied chan<- string) error {
	var head struct {
		_      [3]byte
		Length uint32
	}
	if err := binary.Read(v.in, binary.BigEndian, &head); err != nil {
		return err
	}
	text := make([]byte, head.Length)
	if _, err := io.ReadFull(v.in, text); err != nil {
		return err
	}
	copied <- string(text)
	return nil
}

func (v *Viewer) readUpdate(sizes chan<- Size) error {
	var head struct {
		_     byte
		Count uint16
	}
	if err := binary.Read(v.in, binary.BigEndian, &head); err != nil {
		return err
	}
	for range head.Count {
		var r struct {
			X, Y, Width, Height uint16
			Encoding            int32
		}
		if err := binary.Read(v.in, binary.BigEndian, &r); err != nil {
			return err
		}
		length := int(r.Width) * int(r.Height) * 4
		if r.Encoding == extendedSize {
			var screens [4]byte
			if _, err := io.ReadFull(v.in, screens[:]); err != nil {
				return err
			}
			length = int(screens[0]) * 16
			sizes <- Size{int(r.Width), int(r.Height), r.X == 1 && r.Y != 0}
		}
		if _, err := v.in.Discard(length); err != nil {
			return err
		}
	}
	const all = 1<<16 - 1
	return v.send(update(1, all, all))
}
