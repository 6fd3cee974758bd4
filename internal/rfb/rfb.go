// Package rfb takes a picture of a screen that a server of the Remote Framebuffer
// Protocol shows (RFC 6143). It sends no keys and no clicks, and asks for what every
// server has: no security, which is the socket's matter, and pixels as they are.
//
// The server is hostile: every length that it gives is bounded, and only what lies
// within the screen is drawn. It can be as slow as the connection lets it.
package rfb

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"
	"math"
)

// The bounds of what a server may ask a client to hold or read.
const (
	maxSide     = 1 << 14 // of the screen, in pixels
	maxPixels   = 1 << 25 // of the whole screen: 128 MiB
	maxText     = 1 << 20 // of a name, a reason or copied text, in bytes
	maxMessages = 1 << 12 // before the picture is whole
)

const (
	version      = "RFB 003.008\n"
	securityNone = 1
)

// The messages (RFC 6143, 7.5 and 7.6).
const (
	setPixelFormat = 0
	setEncodings   = 2
	requestUpdate  = 3

	update    = 0
	colours   = 1
	bell      = 2
	copiedOut = 3
)

const raw = 0 // the one encoding

// bytesPerPixel of the format that the client asks for: red, green, blue and nothing.
const bytesPerPixel = 4

// Screenshot greets the server at the other end of conn, and gives what its screen
// shows now.
func Screenshot(conn io.ReadWriter) (*image.RGBA, error) {
	c := &client{in: bufio.NewReaderSize(conn, 64<<10), out: conn}
	picture, err := c.screenshot()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return picture, err
}

type client struct {
	in  *bufio.Reader
	out io.Writer
}

func (c *client) screenshot() (*image.RGBA, error) {
	if err := c.greet(); err != nil {
		return nil, err
	}
	picture, err := c.open()
	if err != nil {
		return nil, err
	}
	if err := c.ask(picture.Rect.Dx(), picture.Rect.Dy()); err != nil {
		return nil, err
	}
	drawn := 0
	for range maxMessages {
		n, err := c.message(picture)
		if err != nil {
			return nil, err
		}
		if drawn += n; drawn >= picture.Rect.Dx()*picture.Rect.Dy() {
			return picture, nil
		}
	}
	return nil, errors.New("the screen's server sends all but the screen")
}

// greet agrees on the version and on no security (7.1).
func (c *client) greet() error {
	var theirs [len(version)]byte
	if _, err := io.ReadFull(c.in, theirs[:]); err != nil {
		return err
	}
	var major, minor int
	if n, err := fmt.Sscanf(string(theirs[:]), "RFB %03d.%03d\n", &major, &minor); n != 2 || err != nil || major != 3 || minor < 8 {
		return fmt.Errorf("the screen's server greets with %q, and not with version 3.8 of RFB", theirs)
	}
	if _, err := io.WriteString(c.out, version); err != nil {
		return err
	}
	count, err := c.in.ReadByte()
	if err != nil {
		return err
	}
	if count == 0 {
		return c.refused()
	}
	types := make([]byte, count)
	if _, err := io.ReadFull(c.in, types); err != nil {
		return err
	}
	for _, t := range types {
		if t == securityNone {
			return c.choose()
		}
	}
	return errors.New("the screen's server wants a password")
}

func (c *client) choose() error {
	if _, err := c.out.Write([]byte{securityNone}); err != nil {
		return err
	}
	result, err := c.uint32()
	if err != nil {
		return err
	}
	if result != 0 {
		return c.refused()
	}
	return nil
}

// refused reads why the server does not go on.
func (c *client) refused() error {
	n, err := c.uint32()
	if err != nil {
		return err
	}
	why := make([]byte, min(n, 256))
	if _, err := io.ReadFull(c.in, why); err != nil {
		return err
	}
	return fmt.Errorf("the screen's server refuses: %q", why)
}

// open learns how large the screen is (7.3).
func (c *client) open() (*image.RGBA, error) {
	if _, err := c.out.Write([]byte{1}); err != nil { // beside others
		return nil, err
	}
	var init struct {
		Width, Height uint16
		Format        [16]byte
		Name          uint32
	}
	if err := binary.Read(c.in, binary.BigEndian, &init); err != nil {
		return nil, err
	}
	if err := c.skip(init.Name); err != nil {
		return nil, err
	}
	width, height := int(init.Width), int(init.Height)
	if width == 0 || height == 0 || width > maxSide || height > maxSide || width*height > maxPixels {
		return nil, fmt.Errorf("a screen of %dx%d pixels is not one to take a picture of", width, height)
	}
	return image.NewRGBA(image.Rect(0, 0, width, height)), nil
}

// ask asks for the whole screen, once.
func (c *client) ask(width, height int) error {
	b := []byte{setPixelFormat, 0, 0, 0,
		8 * bytesPerPixel, 24, 1, 1, // most significant byte first, true colour
		0, 255, 0, 255, 0, 255, 24, 16, 8, 0, 0, 0,
		setEncodings, 0, 0, 1, 0, 0, 0, raw,
		requestUpdate, 0, 0, 0, 0, 0}
	b = binary.BigEndian.AppendUint16(b, uint16(width))
	b = binary.BigEndian.AppendUint16(b, uint16(height))
	_, err := c.out.Write(b)
	return err
}

// message reads one message, and gives how many pixels it has drawn.
func (c *client) message(picture *image.RGBA) (drawn int, err error) {
	kind, err := c.in.ReadByte()
	if err != nil {
		return 0, err
	}
	switch kind {
	case update:
		return c.update(picture)
	case bell:
		return 0, nil
	case copiedOut:
		if _, err := c.in.Discard(3); err != nil {
			return 0, err
		}
		n, err := c.uint32()
		if err != nil {
			return 0, err
		}
		return 0, c.skip(n)
	case colours:
		var head struct {
			_            uint8
			First, Count uint16
		}
		if err := binary.Read(c.in, binary.BigEndian, &head); err != nil {
			return 0, err
		}
		return 0, c.skip(6 * uint32(head.Count))
	}
	return 0, fmt.Errorf("the screen's server sends a message of the kind %d, which nobody asked for", kind)
}

// update draws the rectangles of one message (7.6.1).
func (c *client) update(picture *image.RGBA) (drawn int, err error) {
	var head struct {
		_     uint8
		Count uint16
	}
	if err := binary.Read(c.in, binary.BigEndian, &head); err != nil {
		return 0, err
	}
	for range head.Count {
		var r struct {
			X, Y, Width, Height uint16
			Encoding            int32
		}
		if err := binary.Read(c.in, binary.BigEndian, &r); err != nil {
			return 0, err
		}
		if r.Encoding != raw {
			return 0, fmt.Errorf("the screen's server sends pixels by the encoding %d, which nobody asked for", r.Encoding)
		}
		area := image.Rect(int(r.X), int(r.Y), int(r.X)+int(r.Width), int(r.Y)+int(r.Height))
		if !area.In(picture.Rect) {
			return 0, fmt.Errorf("the screen's server draws at %v, outside of its screen of %v", area, picture.Rect.Max)
		}
		if err := c.draw(picture, area); err != nil {
			return 0, err
		}
		drawn += area.Dx() * area.Dy()
	}
	return drawn, nil
}

// draw reads the pixels of one rectangle, line by line.
func (c *client) draw(picture *image.RGBA, area image.Rectangle) error {
	if area.Empty() {
		return nil
	}
	for y := area.Min.Y; y < area.Max.Y; y++ {
		at := picture.PixOffset(area.Min.X, y)
		line := picture.Pix[at : at+bytesPerPixel*area.Dx()]
		if _, err := io.ReadFull(c.in, line); err != nil {
			return err
		}
		for x := bytesPerPixel - 1; x < len(line); x += bytesPerPixel {
			line[x] = math.MaxUint8 // opaque
		}
	}
	return nil
}

// skip passes over n bytes of text.
func (c *client) skip(n uint32) error {
	if n > maxText {
		return fmt.Errorf("the screen's server sends a text of %d bytes", n)
	}
	_, err := c.in.Discard(int(n))
	return err
}

func (c *client) uint32() (uint32, error) {
	var b [4]byte
	_, err := io.ReadFull(c.in, b[:])
	return binary.BigEndian.Uint32(b[:]), err
}
