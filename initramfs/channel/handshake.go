package channel

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// A greeting is its magic, the version as two bytes and a nonce. The host's
// comes after padding that ends whatever an earlier host left half said; the
// guest's repeats the nonce, so that the host knows where old bytes end.
var (
	hostMagic  = []byte("\xff\x00sbx-host-hello\n")
	guestMagic = []byte("\xff\x00sbx-guest-here\n")
)

const (
	nonceSize    = 16
	greetingTail = 2 + nonceSize
	// padding is longer than any frame, and no byte of it begins one.
	padding = muxHeader + maxMuxBody + 1
	// maxStale bounds what a host skips before the guest's greeting: more than
	// the buffers between the two hold.
	maxStale = 16 << 20
)

type nonce [nonceSize]byte

// greet sends the host's greeting and waits for the guest's.
func greet(w io.Writer, in *bufio.Reader) error {
	var n nonce
	if _, err := rand.Read(n[:]); err != nil {
		return err
	}
	hello := bytes.Repeat([]byte{0xff}, padding)
	hello = append(hello, hostMagic...)
	hello = binary.BigEndian.AppendUint16(hello, Version)
	hello = append(hello, n[:]...)
	if _, err := w.Write(hello); err != nil {
		return err
	}
	for stale := int64(0); ; {
		skipped, version, got, err := findGreeting(in, guestMagic, maxStale-stale)
		if err != nil {
			return err
		}
		stale += skipped
		switch {
		case got != n: // the answer to an earlier host
		case version != Version:
			return &VersionError{int(version)}
		default:
			return nil
		}
	}
}

// VersionError is why a sandbox that another version of sbx has started cannot be
// spoken with.
type VersionError struct {
	Guest int // the protocol's version that its first process speaks
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("the guest speaks version %d of the channel protocol and this sbx speaks version %d: another sbx has started it; stop it with this one (sbx stop), and start it again (sbx up)", e.Guest, Version)
}

// answer waits for a host's greeting, however much comes before it, and answers
// it. A host of another version gets its answer too, and errVersion is returned.
func answer(w io.Writer, in *bufio.Reader) error {
	_, version, n, err := findGreeting(in, hostMagic, 1<<62)
	if err != nil {
		return err
	}
	reply := binary.BigEndian.AppendUint16(bytes.Clone(guestMagic), Version)
	if _, err := w.Write(append(reply, n[:]...)); err != nil {
		return err
	}
	if version != Version {
		return errVersion
	}
	return nil
}

var (
	errVersion = errors.New("the host speaks another version of the channel protocol")
	errStale   = errors.New("the guest sent no greeting within 16 MiB")
)

// findGreeting reads up to the end of the next greeting that begins with magic
// and tells how many bytes it took; more than limit is an error.
func findGreeting(in *bufio.Reader, magic []byte, limit int64) (taken int64, version uint16, n nonce, err error) {
	matched := 0
	for matched < len(magic) {
		b, err := in.ReadByte()
		if err != nil {
			return taken, 0, n, err
		}
		if taken++; taken > limit {
			return taken, 0, n, errStale
		}
		switch {
		case b == magic[matched]:
			matched++
		case b == magic[0]: // the magic's first byte stands nowhere else in it
			matched = 1
		default:
			matched = 0
		}
	}
	var tail [greetingTail]byte
	if _, err := io.ReadFull(in, tail[:]); err != nil {
		return taken, 0, n, err
	}
	copy(n[:], tail[2:])
	return taken + greetingTail, binary.BigEndian.Uint16(tail[:]), n, nil
}
