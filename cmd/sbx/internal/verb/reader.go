package verb

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// tellTime is how long the words of an end that waits for nobody wait for whoever reads
// errors.
const tellTime = time.Second

// Unread waits until nobody has read one of what sbx writes into for so long that there
// was no room for the limit. It is false where ctx ends before.
func Unread(ctx context.Context, limit time.Duration, into ...io.Writer) bool {
	for ctx.Err() == nil {
		for _, w := range into {
			if !Reads(w, limit) {
				return ctx.Err() == nil
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(limit):
		}
	}
	return false
}

// Reads says whether there is room to write into w, or will be within the limit. What is
// no file has it.
func Reads(w io.Writer, limit time.Duration) bool {
	f, ok := w.(*os.File)
	if !ok {
		return true
	}
	conn, err := f.SyscallConn()
	if err != nil {
		return true
	}
	var polled []unix.PollFd
	err = conn.Control(func(fd uintptr) {
		polled = []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
		for end := time.Now().Add(limit); ; {
			n, err := unix.Poll(polled, int(max(0, time.Until(end)).Milliseconds()))
			if !errors.Is(err, unix.EINTR) || n > 0 || time.Now().After(end) {
				return
			}
		}
	})
	return err != nil || polled[0].Revents != 0
}
