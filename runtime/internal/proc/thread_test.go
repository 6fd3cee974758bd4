package proc

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// What a thread becomes ends with it: that is never the process's first one, as which
// /proc shows all of it.
func TestAThreadThatEnds(t *testing.T) {
	for range 500 {
		err := OnThread(func() error {
			if unix.Gettid() == unix.Getpid() {
				return errors.New("it is the first thread, which does not end")
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
