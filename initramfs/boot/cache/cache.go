// Package cache keeps files that are expensive to make under the digest of what
// they are made from. Several processes may use one cache at a time: each file
// is made once, appears whole or not at all, and is given out as a hard link (or
// a copy), so that trimming the cache takes nothing from those who use it.
package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/lockfile"
)

// Cache is a folder of files, one sub-folder a kind.
type Cache struct {
	dir   string
	limit int64
}

// Open makes the folder dir, for this user alone, where it is missing. The files in it take at most
// limit bytes together once a Place has returned; the longest unused go first.
func Open(dir string, limit int64) (*Cache, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	return &Cache{dir: dir, limit: limit}, nil
}

// Dir is the cache's folder.
func (c *Cache) Dir() string { return c.dir }

// isKey says whether a text can be a kind or a key: up to 128 small letters, digits, dots
// and hyphens, a letter or digit first.
func isKey(text string) bool {
	return text != "" && len(text) <= 128 && !strings.ContainsRune(".-", rune(text[0])) &&
		strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789.-") == ""
}

// Place puts the file of the given kind and key at dest, which must not exist
// yet; its mode is 0444. What is not in the cache is made by write, by one
// process only, while others that want it wait, until ctx ends.
func (c *Cache) Place(ctx context.Context, kind, key, dest string, write func(io.Writer) error) error {
	return c.give(ctx, kind, key, write, func(file string) error { return link(file, dest) })
}

// PlaceCopy is Place with a copy at dest, and more behind it. Where the file system can,
// the copy shares the file's place on the disk (copy_file_range(2)).
func (c *Cache) PlaceCopy(ctx context.Context, kind, key, dest string, write func(io.Writer) error, more []byte) error {
	return c.give(ctx, kind, key, write, func(file string) error {
		if err := touch(file); err != nil {
			return err
		}
		return copyFile(file, dest, more)
	})
}

// give has hand give the file out, and it made where it is not there yet: hand then answers
// fs.ErrNotExist.
func (c *Cache) give(ctx context.Context, kind, key string, write func(io.Writer) error, hand func(file string) error) error {
	added := false
	err := c.keep(ctx, kind, key, func(file string) (err error) {
		added, err = c.place(ctx, kind, file, write, hand)
		return err
	})
	if err == nil && added {
		err = c.trim(ctx, c.limit, MaxNotes)
	}
	return err
}

// MaxNotes is how many files without content there may be once a Place has returned: each
// takes a place of its own in the file system.
const MaxNotes = 1000

// Note notes that somebody has asked for a kind and key, and says whether somebody had
// before. A note is a file without content.
func (c *Cache) Note(ctx context.Context, kind, key string) (before bool, err error) {
	err = c.keep(ctx, kind, key, func(file string) error {
		if err := touch(file); !errors.Is(err, fs.ErrNotExist) {
			before = err == nil
			return err
		}
		return create(file, func(io.Writer) error { return nil })
	})
	return before, err
}

// Remove removes a file, if it is there, once nobody is placing it.
func (c *Cache) Remove(ctx context.Context, kind, key string) error {
	return c.keep(ctx, kind, key, func(file string) error {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cache: %w", err)
		}
		return nil
	})
}

// keep works on a file, whose folder is there, under a shared lock.
func (c *Cache) keep(ctx context.Context, kind, key string, do func(file string) error) error {
	if !isKey(kind) || !isKey(key) {
		return fmt.Errorf("cache: %q/%q is not a name", kind, key)
	}
	shared, err := lock(ctx, filepath.Join(c.dir, ".lock"), lockfile.Shared)
	if err != nil {
		return err
	}
	defer shared.Close()
	folder := filepath.Join(c.dir, kind)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	return do(filepath.Join(folder, key))
}

// place works under the lock that keeps files from being trimmed.
func (c *Cache) place(ctx context.Context, kind, file string, write func(io.Writer) error, hand func(file string) error) (added bool, err error) {
	if err := hand(file); !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	// A maker's lock file stays: removing it would let two makers in.
	maker, err := lock(ctx, filepath.Join(c.dir, ".lock-"+kind), lockfile.Exclusive)
	if err != nil {
		return false, err
	}
	defer maker.Close()
	if err := hand(file); !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if err := create(file, write); err != nil {
		return false, err
	}
	return true, hand(file)
}

// create writes a file that appears under its name only when it is whole.
func create(file string, write func(io.Writer) error) (err error) {
	temp, err := os.CreateTemp(filepath.Dir(file), ".new-*")
	if err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	defer func() {
		temp.Close()
		if err != nil {
			os.Remove(temp.Name())
		}
	}()
	if err := write(temp); err != nil {
		return err
	}
	if err := temp.Chmod(0o444); err != nil {
		return err
	}
	if err := temp.Close(); err != nil {
		return err
	}
	return os.Rename(temp.Name(), file)
}

// link gives file out at dest and notes its use. Across file systems it copies.
func link(file, dest string) error {
	if err := touch(file); err != nil {
		return err
	}
	err := os.Link(file, dest)
	if !errors.Is(err, unix.EXDEV) && !errors.Is(err, unix.EMLINK) && !errors.Is(err, unix.EPERM) {
		return err
	}
	return copyFile(file, dest, nil)
}

// copyFile makes a copy, with more behind it.
func copyFile(file, dest string, more []byte) error {
	from, err := os.Open(file)
	if err != nil {
		return err
	}
	defer from.Close()
	return create(dest, func(w io.Writer) error {
		if _, err := io.Copy(w, from); err != nil {
			return err
		}
		_, err := w.Write(more)
		return err
	})
}

// touch sets the time stamps to now; on files of another user it is not allowed.
func touch(file string) error {
	now := time.Now()
	if err := os.Chtimes(file, now, now); err != nil && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
}

// lock opens and locks a file, and waits for it until ctx ends. Closing the file
// unlocks it.
func lock(ctx context.Context, name string, how int) (*os.File, error) {
	file, err := lockfile.Open(name)
	if err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	if err := lockfile.Wait(ctx, file, how); err != nil {
		file.Close()
		return nil, fmt.Errorf("cache: %w", err)
	}
	return file, nil
}

// Entry is one file in the cache.
type Entry struct {
	Kind string    `json:"kind"`
	Key  string    `json:"key"`
	Size int64     `json:"size"` // bytes
	Used time.Time `json:"used"` // when it was last given out
}

// Entries lists what the cache holds, the longest unused first.
func (c *Cache) Entries() ([]Entry, error) {
	files, err := filepath.Glob(filepath.Join(c.dir, "*", "*"))
	if err != nil {
		return nil, err
	}
	entries := []Entry{}
	for _, file := range files {
		kind, key := filepath.Base(filepath.Dir(file)), filepath.Base(file)
		info, err := os.Lstat(file)
		if err != nil || !info.Mode().IsRegular() || !isKey(kind) || !isKey(key) {
			continue
		}
		entries = append(entries, Entry{Kind: kind, Key: key, Size: info.Size(), Used: info.ModTime()})
	}
	slices.SortFunc(entries, func(a, b Entry) int { return a.Used.Compare(b.Used) })
	return entries, nil
}

// Clear empties the cache, once nobody is placing files from it, and says how
// many bytes that freed.
func (c *Cache) Clear(ctx context.Context) (freed int64, err error) {
	entries, err := c.Entries()
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		freed += e.Size
	}
	return freed, c.trim(ctx, 0, 0)
}

// trim removes the longest unused files until at most limit bytes are left, and as many
// notes, and with them what makers that died have left half written.
func (c *Cache) trim(ctx context.Context, limit int64, notes int) error {
	exclusive, err := lock(ctx, filepath.Join(c.dir, ".lock"), lockfile.Exclusive)
	if err != nil {
		return err
	}
	defer exclusive.Close()
	left, err := filepath.Glob(filepath.Join(c.dir, "*", ".new-*"))
	if err != nil {
		return err
	}
	entries, err := c.Entries()
	if err != nil {
		return err
	}
	var total int64
	empty := 0
	for _, e := range entries {
		total += e.Size
		if e.Size == 0 {
			empty++
		}
	}
	for _, e := range entries {
		switch {
		case e.Size > 0 && total > limit:
			total -= e.Size
		case e.Size == 0 && empty > notes:
			empty--
		default:
			continue
		}
		left = append(left, filepath.Join(c.dir, e.Kind, e.Key))
	}
	for _, file := range left {
		if err := os.Remove(file); err != nil {
			return fmt.Errorf("cache: %w", err)
		}
	}
	return nil
}
