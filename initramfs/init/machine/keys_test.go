package machine

import (
	"encoding/binary"
	"slices"
	"testing"
)

// key is an event as drivers/input/evdev.c writes it.
func key(kind, code uint16, value uint32) []byte {
	event := slices.Repeat([]byte{0xff}, keyEventLen) // some time
	binary.NativeEndian.PutUint16(event[keyTimeLen:], kind)
	binary.NativeEndian.PutUint16(event[keyTimeLen+2:], code)
	binary.NativeEndian.PutUint32(event[keyTimeLen+4:], value)
	return event
}

func TestPowerKeyPresses(t *testing.T) {
	down, up, end := key(keyEvent, keyPower, keyDown), key(keyEvent, keyPower, 0), key(0, 0, 0)
	for _, c := range []struct {
		name   string
		events []byte
		want   int
	}{
		{"a press", slices.Concat(down, end), 1},
		{"it is let go", slices.Concat(up, end), 0},
		{"it is held", key(keyEvent, keyPower, 2), 0},
		{"two presses", slices.Concat(down, end, up, end, down, end), 2},
		{"another key", key(keyEvent, 142, keyDown), 0},
		{"no key", key(2, keyPower, keyDown), 0},
		{"an event cut short", down[:keyEventLen-1], 0},
		{"nothing", nil, 0},
	} {
		if got := powerKeyPresses(c.events); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}
