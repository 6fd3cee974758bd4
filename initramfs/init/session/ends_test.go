package session

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/initramfs/init/privilege"
)

// A command that writes much is not held up by a pipe of the usual 64 KiB.
func TestOutputHasRoom(t *testing.T) {
	e, err := openPipes(false, privilege.User{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.close()
	defer e.closeInside()
	const least = 256 << 10
	if size, err := unix.FcntlInt(uintptr(e.inside[1]), unix.F_GETPIPE_SZ, 0); err != nil || size < least {
		t.Errorf("standard output has room for %d bytes, %v", size, err)
	}
}
