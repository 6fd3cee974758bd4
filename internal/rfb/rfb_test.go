package rfb

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"io"
	"strings"
	"testing"
)

// server is what a server sends, and nobody hears what a client says.
type server struct{ io.Reader }

func (server) Write(p []byte) (int, error) { return len(p), nil }

// hello is a server's greeting with a screen of this size.
func hello(width, height uint16) []byte {
	b := []byte("RFB 003.008\n\x01\x01\x00\x00\x00\x00")
	b = binary.BigEndian.AppendUint16(b, width)
	b = binary.BigEndian.AppendUint16(b, height)
	b = append(b, make([]byte, 16)...)
	return append(b, "\x00\x00\x00\x04name"...)
}

// drawing is an update of one rectangle.
func drawing(x, y, width, height uint16, pixels ...byte) []byte {
	b := []byte{update, 0, 0, 1}
	for _, n := range []uint16{x, y, width, height, 0, raw} {
		b = binary.BigEndian.AppendUint16(b, n)
	}
	return append(b, pixels...)
}

func TestScreenshot(t *testing.T) {
	red, blue := []byte{255, 0, 0, 0}, []byte{0, 0, 255, 0}
	said := bytes.Join([][]byte{hello(2, 2),
		{bell}, []byte("\x03\x00\x00\x00\x00\x00\x00\x06copied"), // which is nothing to a picture
		drawing(0, 0, 2, 1, append(bytes.Clone(red), blue...)...),
		drawing(0, 1, 2, 1, append(bytes.Clone(blue), red...)...),
	}, nil)
	picture, err := Screenshot(server{bytes.NewReader(said)})
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[image.Point]color.RGBA{{}: {255, 0, 0, 255}, {X: 1}: {0, 0, 255, 255}, {Y: 1}: {0, 0, 255, 255}, {X: 1, Y: 1}: {255, 0, 0, 255}} {
		if got := picture.RGBAAt(at.X, at.Y); got != want {
			t.Errorf("at %v stands %v, want %v", at, got, want)
		}
	}
}

func TestAHostileServerIsRefused(t *testing.T) {
	for what, test := range map[string]struct {
		said []byte
		want string
	}{
		"another protocol":   {[]byte("SSH-2.0-OpenS"), "greets with"},
		"an older version":   {[]byte("RFB 003.003\n"), "greets with"},
		"a password":         {[]byte("RFB 003.008\n\x01\x02"), "password"},
		"a refusal":          {[]byte("RFB 003.008\n\x00\x00\x00\x00\x02\x1bn"), `refuses: "\x1bn"`},
		"no screen":          {hello(0, 9), "0x9 pixels"},
		"a huge screen":      {hello(1<<14, 1<<14), "16384x16384 pixels"},
		"beyond the screen":  {append(hello(2, 2), drawing(1, 1, 2, 1)...), "outside of its screen"},
		"another encoding":   {append(hello(2, 2), "\x00\x00\x00\x01\x00\x00\x00\x00\x00\x02\x00\x02\x00\x00\x00\x10"...), "encoding 16"},
		"another message":    {append(hello(2, 2), 99), "kind 99"},
		"an endless text":    {append(hello(2, 2), 3, 0, 0, 0, 255, 255, 255, 255), "a text of 4294967295 bytes"},
		"nothing but bells":  {append(hello(2, 2), bytes.Repeat([]byte{bell}, maxMessages+1)...), "all but the screen"},
		"empty rectangles":   {append(hello(2, 2), bytes.Repeat(drawing(0, 0, 0, 0), maxMessages+1)...), "all but the screen"},
		"the end in between": {append(hello(2, 2), drawing(0, 0, 2, 2, 1, 2, 3)...), "unexpected EOF"},
	} {
		if _, err := Screenshot(server{bytes.NewReader(test.said)}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", what, err, test.want)
		}
	}
}

func FuzzScreenshot(f *testing.F) {
	f.Add(append(hello(2, 2), drawing(0, 0, 2, 2, make([]byte, 16)...)...))
	f.Add([]byte("RFB 003.008\n\x00\x00\x00\x00\x02no"))
	f.Add(append(hello(2, 1), colours, 0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, bell))
	f.Fuzz(func(t *testing.T, said []byte) {
		picture, err := Screenshot(server{bytes.NewReader(said)})
		if (picture == nil) == (err == nil) {
			t.Fatalf("got a picture %v and the error %v", picture != nil, err)
		}
		if err == nil && len(said) < picture.Rect.Dx()*picture.Rect.Dy()*bytesPerPixel {
			t.Fatalf("%d bytes made a picture of %v", len(said), picture.Rect.Max)
		}
	})
}
