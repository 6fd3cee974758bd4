package memo_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/memo"
)

func open(t *testing.T, dir string) *memo.Store {
	t.Helper()
	s, err := memo.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func folder(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "memo")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestWhatIsPutComesBack(t *testing.T) {
	s := open(t, folder(t))
	a, b := memo.Key("a", "b"), memo.Key("ab", "")
	if a == b {
		t.Error("two lists of parts have one key")
	}
	s.Put(a, []byte("one"))
	s.Put(a, []byte("two"))
	if got := s.Get(a); string(got) != "two" {
		t.Errorf("%q", got)
	}
	if got := s.Get(b); got != nil {
		t.Errorf("%q", got)
	}
	if list := s.Entries(); len(list) != 1 || list[0].Key != a {
		t.Errorf("%v", list)
	}
	if s.Clear() == 0 || s.Get(a) != nil || len(s.Entries()) != 0 {
		t.Error("it is still there")
	}
	var none *memo.Store
	none.Put(a, nil)
	if none.Get(a) != nil || none.Entries() != nil || none.Clear() != 0 {
		t.Error("nothing holds something")
	}
}

// Whatever stands in the folder that a Put of this user did not write for the key is
// nothing.
func TestOnlyWhatIsOursIsBelieved(t *testing.T) {
	dir := folder(t)
	s := open(t, dir)
	key, other := memo.Key("key"), memo.Key("other")
	path := filepath.Join(dir, key)
	s.Put(other, []byte("for the other"))
	for what, spoil := range map[string]func() error{
		"cut":             func() error { return os.Truncate(path, 33) },
		"empty":           func() error { return os.Truncate(path, 0) },
		"longer":          func() error { return os.Truncate(path, 1<<12) },
		"far longer":      func() error { return os.Truncate(path, 1<<30) },
		"another's entry": func() error { return os.Rename(filepath.Join(dir, other), path) },
		"others write it": func() error { return os.Chmod(path, 0o620) },
		"a link outside":  func() error { os.Remove(path); return os.Symlink("/etc/passwd", path) },
		"a folder":        func() error { os.Remove(path); return os.Mkdir(path, 0o700) },
		"a FIFO":          func() error { os.Remove(path); return unix.Mkfifo(path, 0o600) },
		"changed": func() error {
			data, err := os.ReadFile(path)
			data[len(data)-1] ^= 1
			return errors.Join(err, os.WriteFile(path, data, 0o600))
		},
		"another user's": func() error {
			if os.Geteuid() != 0 {
				return os.Remove(path) // only root can give it away
			}
			return os.Chown(path, 12345, 12345)
		},
	} {
		os.RemoveAll(path)
		s.Put(key, []byte("data"))
		if got := s.Get(key); string(got) != "data" {
			t.Fatalf("%s: before, it is %q", what, got)
		}
		if err := spoil(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if got := s.Get(key); got != nil {
			t.Errorf("%s: %q is believed", what, got)
		}
	}
	for _, name := range []string{"", ".", "..", "../memo/" + key, "/etc/passwd", "x"} {
		s.Put(name, []byte("data"))
		if s.Get(name) != nil {
			t.Errorf("%q is a key", name)
		}
	}
}

func TestAFolderThatOthersHaveIsNotUsed(t *testing.T) {
	dir := folder(t)
	for _, mode := range []os.FileMode{0o750, 0o705, 0o777} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := memo.Open(dir); err == nil {
			t.Errorf("a folder of mode %v is used", mode)
		}
	}
}

func TestThereIsAMost(t *testing.T) {
	s := open(t, folder(t))
	s.Put(memo.Key("large"), make([]byte, memo.MaxSize+1))
	if len(s.Entries()) != 0 {
		t.Error("what is too large is kept")
	}
	large := make([]byte, memo.MaxSize)
	for n := range 40 {
		s.Put(memo.Key(fmt.Sprint(n)), large)
	}
	var total int64
	for _, e := range s.Entries() {
		total += e.Size
	}
	if total > memo.MaxTotal || total < memo.MaxTotal/2 {
		t.Errorf("%d bytes are kept", total)
	}
	if s.Get(memo.Key("39")) == nil {
		t.Error("the newest is gone")
	}
}

// Any number of processes work on it at once: what comes out is nothing or whole.
func TestManyAtOnce(t *testing.T) {
	dir := folder(t)
	var workers sync.WaitGroup
	for n := range 8 {
		s := open(t, dir)
		workers.Go(func() {
			for i := range 100 {
				key := memo.Key(fmt.Sprint(i % 5))
				s.Put(key, bytes.Repeat([]byte{byte('a' + n)}, 1000+i))
				if got := s.Get(key); got != nil && (len(got) < 1000 || len(bytes.Trim(got, string(got[0]))) != 0) {
					t.Errorf("%d bytes of several", len(got))
				}
				if i == 50 && n == 0 {
					s.Clear()
				}
			}
		})
	}
	workers.Wait()
}
