package copytree_test

import (
	"io"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/copytree"
)

// A file that becomes a FIFO while a folder is packed ends the copy, or is not seen;
// nobody waits for a writer.
func TestPackingWaitsForNoFIFO(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/file", []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(dir+"/../fifo", 0o600); err != nil {
		t.Fatal(err)
	}
	var over atomic.Bool
	swapping := make(chan struct{})
	go func() {
		defer close(swapping)
		for !over.Load() {
			_ = unix.Renameat2(unix.AT_FDCWD, dir+"/file", unix.AT_FDCWD, dir+"/../fifo", unix.RENAME_EXCHANGE)
		}
	}()
	packed := make(chan struct{})
	go func() {
		defer close(packed)
		for range 3000 {
			_ = copytree.Pack(io.Discard, dir, "copy")
		}
	}()
	select {
	case <-packed:
	case <-time.After(time.Minute):
		t.Error("it waits")
	}
	over.Store(true)
	<-swapping
}
