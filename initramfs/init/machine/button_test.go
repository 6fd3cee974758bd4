package machine

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"
)

// event is a message as drivers/acpi/event.c makes it.
func event(attribute uint16, class string) []byte {
	m := make([]byte, acpiHeadersLen+unix.SizeofNlAttr+43)
	binary.NativeEndian.PutUint16(m[acpiHeadersLen:], unix.SizeofNlAttr+43)
	binary.NativeEndian.PutUint16(m[acpiHeadersLen+2:], attribute)
	copy(m[acpiHeadersLen+unix.SizeofNlAttr:], class)
	return m
}

func TestIsPowerButton(t *testing.T) {
	power := event(acpiEvent, powerButton)
	for _, c := range []struct {
		name    string
		message []byte
		want    bool
	}{
		{"the power button", power, true},
		{"another button", event(acpiEvent, "button/sleep"), false},
		{"a longer name", event(acpiEvent, powerButton+"s"), false},
		{"a name that fills its place", event(acpiEvent, "abcdefghijklmnopqrst"), false},
		{"another attribute", event(2, powerButton), false},
		{"a message cut short", power[:acpiHeadersLen+unix.SizeofNlAttr+acpiClassLen-1], false},
		{"nothing", nil, false},
	} {
		if got := isPowerButton(c.message); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
