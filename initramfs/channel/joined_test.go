package channel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
)

// writes remembers each Write by itself.
type writes struct {
	all  [][]byte
	fail error
}

func (w *writes) Write(p []byte) (int, error) {
	if w.fail != nil {
		return muxHeader + 1, w.fail
	}
	w.all = append(w.all, bytes.Clone(p))
	return len(p), nil
}

func headerOf(kind byte, length int) []byte {
	h := make([]byte, muxHeader)
	h[1] = kind
	binary.BigEndian.PutUint32(h[8:], uint32(length))
	return h
}

// A header and its body are one write; what has no body waits for none.
func TestJoinedWrites(t *testing.T) {
	w := new(writes)
	j := &joined{w: w}
	twelve := []byte("twelve bytes") // a body that is as long as a header
	for _, p := range [][]byte{headerOf(muxWindow, 9), headerOf(muxData, 0), headerOf(muxData, 12), twelve, headerOf(muxData, 3), []byte("abc"), headerOf(muxGoAway, 1)} {
		if n, err := j.Write(p); n != len(p) || err != nil {
			t.Errorf("%d of %d bytes are written (%v)", n, len(p), err)
		}
	}
	want := [][]byte{headerOf(muxWindow, 9), headerOf(muxData, 0), append(headerOf(muxData, 12), twelve...), append(headerOf(muxData, 3), "abc"...), headerOf(muxGoAway, 1)}
	if len(w.all) != len(want) {
		t.Fatalf("%d writes: %q", len(w.all), w.all)
	}
	for i := range want {
		if !bytes.Equal(w.all[i], want[i]) {
			t.Errorf("write %d is %q, want %q", i, w.all[i], want[i])
		}
	}
	w.fail = errors.New("gone")
	_, _ = j.Write(headerOf(muxData, 3))
	if n, err := j.Write([]byte("abc")); n != 1 || err != w.fail {
		t.Errorf("%d, %v", n, err)
	}
}
