package display

import (
	"crypto/rand"
	"encoding/binary"
	"os"
	"path/filepath"

	"github.com/sbx-dev/sbx/initramfs/init/privilege"
	"github.com/sbx-dev/sbx/initramfs/manifest"
)

// The one way to show a key that every X program knows, and the length of its keys
// (Xsecurity(7)).
const (
	method    = "MIT-MAGIC-COOKIE-1"
	keyLength = 16
)

// anywhere is the family of a key that is good for every address (FamilyWild, Xauth.h).
const anywhere = 0xffff

// writeKeys gives the server and the user a new key, each in a file that it alone can
// read.
func writeKeys(user privilege.User) error {
	key := make([]byte, keyLength)
	if _, err := rand.Read(key); err != nil {
		return err
	}
	for name, reader := range map[string]privilege.User{serverKey: owner, commandKey: user} {
		write := func() error {
			f, err := os.OpenFile(filepath.Join(manifest.DisplayDir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o400)
			if err != nil {
				return err
			}
			if _, err := f.Write(entry(key)); err != nil {
				f.Close()
				return err
			}
			return f.Close()
		}
		if err := reader.As(write); err != nil {
			return err
		}
	}
	return nil
}

// entry is a key as a file of keys has it: the family, and four strings with their
// lengths, of which address and display may be any (XauWriteAuth(3)).
func entry(key []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, anywhere)
	for _, s := range []string{"", "", method, string(key)} {
		b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
		b = append(b, s...)
	}
	return b
}
