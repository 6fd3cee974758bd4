package saved

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
)

// image is a file as libvirt writes it.
func image(change func(*header), domain, cookie, stream string) []byte {
	h := header{Version: version, Running: 1}
	copy(h.Magic[:], magic)
	described := domain + "\x00"
	if cookie != "" {
		h.Cookie = uint32(len(described))
		described += cookie + "\x00"
	}
	described += strings.Repeat("\x00", 64)
	h.Length = uint32(len(described))
	change(&h)
	var file bytes.Buffer
	if err := binary.Write(&file, binary.NativeEndian, &h); err != nil {
		panic(err)
	}
	file.WriteString(described + stream)
	return file.Bytes()
}

func unchanged(*header) {}

func TestBecome(t *testing.T) {
	for _, c := range []struct{ what, cookie string }{{"with a cookie", "<cookie/>"}, {"without one", ""}} {
		file := bytes.NewReader(image(unchanged, "<domain>old</domain>", c.cookie, "RAM"))
		begins, err := Become(file, "<domain>of another name</domain>")
		if err != nil {
			t.Fatalf("%s: %v", c.what, err)
		}
		got := bytes.NewBuffer(begins)
		if _, err := got.ReadFrom(file); err != nil {
			t.Fatal(err)
		}
		var h header
		if err := binary.Read(got, binary.NativeEndian, &h); err != nil {
			t.Fatal(err)
		}
		want := "<domain>of another name</domain>\x00"
		if c.cookie != "" {
			if int(h.Cookie) != len(want) {
				t.Errorf("%s: it begins at %d", c.what, h.Cookie)
			}
			want += c.cookie + "\x00"
		}
		if int(h.Length) != len(want) || got.String() != want+"RAM" || h.Running != 1 {
			t.Errorf("%s: %+v %q", c.what, h, got.String())
		}
	}
}

func TestBecomeRefuses(t *testing.T) {
	for what, file := range map[string][]byte{
		"nothing":                    {},
		"a part of a header":         image(unchanged, "<a/>", "", "")[:40],
		"a part of the XML":          image(unchanged, "<a/>", "", "")[:100],
		"another magic":              image(func(h *header) { h.Magic[0] = 'X' }, "<a/>", "", ""),
		"one that is not whole":      image(func(h *header) { copy(h.Magic[:], "LibvirtQemudPart") }, "<a/>", "", ""),
		"another version":            image(func(h *header) { h.Version = 3 }, "<a/>", "", ""),
		"a compressed stream":        image(func(h *header) { h.Format = 1 }, "<a/>", "", ""),
		"more XML than there can be": image(func(h *header) { h.Length = 1 << 31 }, "<a/>", "", ""),
		"a cookie that is nowhere":   image(func(h *header) { h.Cookie = h.Length + 1 }, "<a/>", "", ""),
		"a cookie without an end":    image(func(h *header) { h.Length, h.Cookie = 9, 5 }, "<a/>", "<cookie/>", ""),
	} {
		if _, err := Become(bytes.NewReader(file), "<b/>"); err == nil {
			t.Errorf("%s is taken for a saved machine", what)
		}
	}
}
