// Package memo keeps small results between processes of one user: a folder of files,
// each named by the digest of what its content was made from.
//
// A result is believed only from a file that this user owns and nobody else can
// write, in a folder of which the same holds, whose content is what its own digest
// says, for that very key. Whatever else stands there counts as nothing, and any
// number of processes may read, write and clear at once.
package memo

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"syscall"
	"time"
)

// The most that is kept.
const (
	MaxEntries = 1100     // a thousand profiles, and the modules that they stand in
	MaxSize    = 1 << 20  // bytes of one entry
	MaxTotal   = 16 << 20 // bytes of all
)

// used is how old an entry's time stamp gets before it is set anew.
const used = time.Hour

// Store is a folder of entries. A nil Store holds nothing.
type Store struct{ root *os.Root }

// Open opens the folder dir, which must be there. One that is not this user's own, or
// open to others, is an error.
func Open(dir string) (*Store, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	info, err := root.Stat(".")
	if err == nil && !isOurs(info, 0o077) {
		err = &fs.PathError{Op: "open", Path: dir, Err: errors.New("it is not this user's alone")}
	}
	if err != nil {
		root.Close()
		return nil, err
	}
	return &Store{root}, nil
}

// isOurs says whether this user owns the file and others have none of the
// permissions.
func isOurs(info fs.FileInfo, others fs.FileMode) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid() && info.Mode().Perm()&others == 0
}

// Key is the digest of the parts, each with its length.
func Key(parts ...string) string {
	sum := sha256.New()
	for _, part := range parts {
		writePart(sum, part)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func writePart(w io.Writer, part string) {
	n := len(part)
	_, _ = w.Write([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
	_, _ = io.WriteString(w, part)
}

// Get gives what is kept for the key, which Key has made; nil where nothing is that
// can be believed.
func (s *Store) Get(key string) []byte {
	if s == nil || !isKey(key) {
		return nil
	}
	// A FIFO is not waited for, and no link leads out of the folder.
	file, err := s.root.OpenFile(key, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() || !isOurs(info, 0o022) || info.Size() > sha256.Size+MaxSize {
		return nil
	}
	all, err := io.ReadAll(io.LimitReader(file, sha256.Size+MaxSize+1))
	if err != nil || len(all) < sha256.Size {
		return nil
	}
	sum, data := all[:sha256.Size], all[sha256.Size:]
	if string(sum) != seal(key, data) {
		return nil
	}
	if now := time.Now(); now.Sub(info.ModTime()) > used {
		_ = s.root.Chtimes(key, now, now) // it goes the sooner
	}
	return data
}

// seal is the digest of an entry and its key.
func seal(key string, data []byte) string {
	sum := sha256.New()
	writePart(sum, key)
	_, _ = sum.Write(data)
	return string(sum.Sum(nil))
}

func isKey(key string) bool {
	raw, err := hex.DecodeString(key)
	return err == nil && len(raw) == sha256.Size
}

// Put keeps the data for the key, in place of what is there. What cannot be kept is
// not: nothing depends on it. Where there is too much then, the longest unused goes.
func (s *Store) Put(key string, data []byte) {
	if s == nil || !isKey(key) || len(data) > MaxSize {
		return
	}
	temp := ".new-" + rand.Text()
	file, err := s.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return
	}
	_, err = file.Write(append([]byte(seal(key, data)), data...))
	if err := errors.Join(err, file.Close()); err != nil || s.root.Rename(temp, key) != nil {
		_ = s.root.Remove(temp)
		return
	}
	s.trim(MaxEntries, MaxTotal)
}

// Entry is one result that is kept.
type Entry struct {
	Key  string
	Size int64 // bytes
	Used time.Time
}

// Entries are what is kept, the longest unused first.
func (s *Store) Entries() (list []Entry) {
	for _, e := range s.files() {
		if isKey(e.Key) {
			list = append(list, e)
		}
	}
	return list
}

// files are all files of the folder, what a writer that has died has left half
// written with them.
func (s *Store) files() (list []Entry) {
	if s == nil {
		return nil
	}
	found, _ := fs.ReadDir(s.root.FS(), ".") // what can be read of it
	for _, f := range found {
		if info, err := f.Info(); err == nil && !f.IsDir() {
			list = append(list, Entry{f.Name(), info.Size(), info.ModTime()})
		}
	}
	slices.SortFunc(list, func(a, b Entry) int { return a.Used.Compare(b.Used) })
	return list
}

// trim leaves as many files and bytes.
func (s *Store) trim(most int, bytes int64) {
	list := s.files()
	var total int64
	for _, e := range list {
		total += e.Size
	}
	for i, e := range list {
		if len(list)-i <= most && total <= bytes {
			return
		}
		_ = s.root.Remove(e.Key) // or another process was first
		total -= e.Size
	}
}

// Clear removes all, and says how many bytes that were.
func (s *Store) Clear() (freed int64) {
	for _, e := range s.files() {
		if s.root.Remove(e.Key) == nil {
			freed += e.Size
		}
	}
	return freed
}

// Close closes the folder.
func (s *Store) Close() {
	if s != nil {
		s.root.Close()
	}
}
