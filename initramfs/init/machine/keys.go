package machine

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// What the kernel tells of a key by (include/uapi/linux/input.h): two words of time,
// the kind of event, which key, and what has become of it.
const (
	keyTimeLen  = 16
	keyEventLen = keyTimeLen + 8
	keyEvent    = 1
	keyPower    = 116
	keyDown     = 1
)

// Keys are a machine's keys, its power button among them where it has no ACPI: QEMU
// gives a machine of aarch64 without a firmware no other.
type Keys []*os.File

// OpenKeys opens those that there are. Boot has loaded what drives them; the root that
// Assemble makes shows none.
func OpenKeys() (Keys, error) {
	names, err := filepath.Glob("/dev/input/event*")
	if err != nil {
		return nil, err
	}
	var keys Keys
	var failed error
	for _, name := range names {
		key, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		keys = append(keys, key)
	}
	return keys, failed
}

func (k Keys) close() {
	for _, key := range k {
		key.Close()
	}
}

// listen has pressed called whenever the power button among k is pressed.
func (k Keys) listen(pressed func()) {
	for _, key := range k {
		go func() {
			defer key.Close()
			for events := make([]byte, 64*keyEventLen); ; {
				n, err := key.Read(events) // whole events
				if err != nil {
					return
				}
				for range powerKeyPresses(events[:n]) {
					pressed()
				}
			}
		}()
	}
}

// powerKeyPresses counts how often the power button was pressed.
func powerKeyPresses(events []byte) (n int) {
	for ; len(events) >= keyEventLen; events = events[keyEventLen:] {
		event := events[keyTimeLen:keyEventLen]
		if binary.NativeEndian.Uint16(event) == keyEvent && binary.NativeEndian.Uint16(event[2:]) == keyPower &&
			binary.NativeEndian.Uint32(event[4:]) == keyDown {
			n++
		}
	}
	return n
}
