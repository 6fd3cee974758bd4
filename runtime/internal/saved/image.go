// Package saved is about machines that libvirt has saved (virDomainSave) while they
// waited for their orders: what such a file depends on, and how it becomes another
// machine's.
package saved

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// header is what a file of virDomainSave begins with, in the host's byte order
// (virQEMUSaveHeader in libvirt's src/qemu/qemu_saveimage.h). There follow the domain's
// XML, what libvirt itself has to remember of it, the "cookie", each ended by a NUL, as
// many NULs as leave room for another XML, and QEMU's own stream.
type header struct {
	Magic   [16]byte
	Version uint32
	Length  uint32 // of all that comes before QEMU's stream, in bytes
	Running uint32 // 1: it goes on when it is restored
	Format  uint32 // of QEMU's stream: 0 is as QEMU writes it
	Cookie  uint32 // where that begins, counted from the end of the header; 0: there is none
	_       [14]uint32
}

// The only kind of file that this package knows. libvirt gives what differs another
// version or format.
const (
	magic   = "LibvirtQemudSave"
	version = 2
)

// maxLength bounds what comes before QEMU's stream: more than any machine of sbx's has.
const maxLength = 4 << 20

var errOther = errors.New("libvirt has saved it in a way that this sbx does not know")

// Become reads what a saved machine begins with, up to QEMU's stream, and gives what the
// file of another domain XML begins with, in front of the same stream. Both must have the
// same devices: libvirt would check that, but for it their names would have to be one, too.
func Become(from io.Reader, domain string) ([]byte, error) {
	var h header
	if err := binary.Read(from, binary.NativeEndian, &h); err != nil {
		return nil, err
	}
	if string(h.Magic[:]) != magic || h.Version != version || h.Format != 0 || h.Length > maxLength || h.Cookie > h.Length {
		return nil, errOther
	}
	old := make([]byte, h.Length)
	if _, err := io.ReadFull(from, old); err != nil {
		return nil, fmt.Errorf("its beginning cannot be read: %w", err)
	}
	described := append([]byte(domain), 0)
	if h.Cookie > 0 {
		cookie, _, ended := bytes.Cut(old[h.Cookie:], []byte{0})
		if !ended {
			return nil, errOther
		}
		h.Cookie = uint32(len(described))
		described = append(append(described, cookie...), 0)
	}
	h.Length, h.Running = uint32(len(described)), 1
	begins, err := binary.Append(nil, binary.NativeEndian, &h)
	return append(begins, described...), err
}
