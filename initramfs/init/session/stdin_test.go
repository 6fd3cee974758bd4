package session

import (
	"testing"

	"github.com/sbx-dev/sbx/initramfs/init/privilege"
)

// A command that writes into the pipe of its own standard input has read none of the
// host's: the host would end the session of one that says it has read more than it
// was sent.
func TestOwnInputIsNotTaken(t *testing.T) {
	e, err := openPipes(true, privilege.User{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.close()
	defer e.closeInside()
	in := newStdin(e, nil) // there is nothing to tell
	if _, err := e.stdin.WriteString("its own"); err != nil {
		t.Fatal(err)
	}
	if unread := in.tell(); unread != 7 || in.told != 0 {
		t.Errorf("%d bytes are unread, and %d taken", unread, in.told)
	}
}
