package service

import (
	"bytes"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/initramfs/init/privilege"
)

// What a command has written before its end is not lost where it is read long after
// that, as on a host that is too busy, and somebody else holds the output open.
func TestOutputThatIsReadLate(t *testing.T) {
	theirs, ours, err := privilege.User{}.OutputPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(theirs)
	line := append(bytes.Repeat([]byte("x"), 99), '\n')
	const lines = 400 // more than one look at the pipe takes
	if n, err := unix.Write(theirs, bytes.Repeat(line, lines)); n != lines*len(line) || err != nil {
		t.Fatal(n, err)
	}
	run, seen := running{outputs: [2]*os.File{ours}}, 0
	first := make(chan struct{})
	run.readers.Go(func() {
		readLines(ours, func([]byte) {
			if seen++; seen == 1 {
				close(first)
				time.Sleep(2 * lateOutput)
			}
		})
	})
	<-first
	run.drain()
	if seen != lines {
		t.Errorf("%d lines are seen of %d", seen, lines)
	}
}
