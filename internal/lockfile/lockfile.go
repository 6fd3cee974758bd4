// Package lockfile keeps processes of one user from each other by locked files that
// nobody else can open: who can open a file can lock it, also one that is only to be
// read, and never let go.
package lockfile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// How a file is locked.
const (
	Shared    = unix.LOCK_SH
	Exclusive = unix.LOCK_EX
)

// pause is the longest time between two tries; the first is short, since most who have a
// lock have it for a moment. A wait in the kernel would not end with a context: Go begins
// it anew after every signal.
const pause = 20 * time.Millisecond

// Open opens the file for locking, and makes it where it is missing. One that others
// may open is replaced: they may have it locked.
func Open(path string) (*os.File, error) {
	for range 10 {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
		if err != nil {
			return nil, err
		}
		info, err := f.Stat()
		if err == nil && info.Mode().Perm()&0o077 == 0 {
			return f, nil
		}
		f.Close()
		if err == nil {
			err = replace(path, info)
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%s is made anew all the time, for others to open: remove it", path)
}

// replace removes the file if it is still the one that was looked at.
func replace(path string, seen os.FileInfo) error {
	now, err := os.Lstat(path)
	if err != nil || !os.SameFile(now, seen) {
		return nil // another process has been faster
	}
	return os.Remove(path)
}

// Try locks an open file, unless another process has it locked. Closing the file
// unlocks it.
func Try(f *os.File, how int) (locked bool, err error) {
	for {
		switch err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB); err {
		case nil:
			return true, nil
		case unix.EINTR:
		case unix.EWOULDBLOCK:
			return false, nil
		default:
			return false, fmt.Errorf("cannot lock %s: %w", f.Name(), err)
		}
	}
}

// ErrBusy is why Wait has ended without the lock.
var ErrBusy = errors.New("another process has it locked")

// Wait locks an open file, and waits for it until ctx ends.
func Wait(ctx context.Context, f *os.File, how int) error {
	for next := time.Millisecond; ; next = min(2*next, pause) {
		locked, err := Try(f, how)
		if locked || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cannot lock %s: %w: %w", f.Name(), ErrBusy, context.Cause(ctx))
		case <-time.After(next):
		}
	}
}
