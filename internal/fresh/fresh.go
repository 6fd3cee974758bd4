// Package fresh tells a folder that this process has just made from another one that
// somebody has put in its place: making one and opening it are two steps.
package fresh

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// ErrTaken is why a folder is not as one that has just been made is.
var ErrTaken = errors.New("something else has taken its place meanwhile")

// Check is nil for an open folder that is this user's own, that nobody else can come at,
// and that is empty: whatever made it, nothing of anybody else's is in it.
func Check(dir *os.File) error {
	var info unix.Stat_t
	if err := unix.Fstat(int(dir.Fd()), &info); err != nil {
		return err
	}
	_, err := dir.Readdirnames(1)
	switch {
	case err != nil && err != io.EOF:
		return err
	case err == nil, int(info.Uid) != os.Geteuid(), info.Mode&0o077 != 0:
		return ErrTaken
	}
	return nil
}
