package guard

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Note is what a guard has done about one wall.
type Note struct {
	Mended uint64    `json:"mended"` // how often
	Last   time.Time `json:"last"`
	Found  string    `json:"found"`            // what there was instead, the last time: innerwall.Absent or Changed
	Failed string    `json:"failed,omitempty"` // why it is not mended now
	Pause  string    `json:"pause,omitempty"`  // how long the guard waits now between two times, since somebody goes on removing it
}

// maxNote bounds a note, in bytes; maxWhy the reason in it.
const (
	maxNote = 16 << 10
	maxWhy  = 1 << 10
)

// Note gives the note of a wall; nil where there is none.
func (f Folder) Note(wall string) (*Note, error) {
	n, err := readNote(f.note(wall))
	if err != nil {
		return nil, fmt.Errorf("the guard's note of the inner wall %s cannot be read: %w", wall, err)
	}
	return n, nil
}

// readNote reads it as what anybody may have put there: no link is followed, no pipe
// waited for. Its folder is root's to make, so that the guard alone writes in it.
func readNote(path string) (*Note, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, errors.New("it is not a file: remove it"))
	}
	data, err := io.ReadAll(io.LimitReader(f, maxNote))
	if err != nil {
		return nil, err
	}
	n := new(Note)
	return n, json.Unmarshal(data, n)
}

// write replaces the note in the guard's folder. What cannot be written is written with
// what comes next: no wall waits for it.
func (n *Note) write(path string) {
	n.Failed = n.Failed[:min(len(n.Failed), maxWhy)]
	data, err := json.Marshal(n)
	if err != nil {
		return
	}
	partial := filepath.Join(filepath.Dir(path), ".new")
	f, err := os.OpenFile(partial, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Close()); err == nil {
		_ = unix.Rename(partial, path)
	}
}
