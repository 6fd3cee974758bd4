package runtime

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/schema"
)

// claimDir holds a file for each ephemeral sandbox, in the state folder. Its
// process keeps the file locked; a file that is not locked was left behind by
// one that was killed, together with the sandbox's folder and filters. libvirt
// cannot remember those: it forgets a transient domain as it ends.
const claimDir = ".run"

// claim is what has to be removed after a process that could not.
type claim struct {
	Backend  schema.Backend
	Metadata *compiler.Metadata
}

// claim makes the sandbox's name this process's own until release is called.
func (r *Runtime) claim(s *sandbox) (release func(), err error) {
	path := filepath.Join(r.options.StateDir, claimDir, s.name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	f, err := lockClaim(path, os.O_CREATE)
	if err != nil {
		return nil, err
	}
	if f == nil {
		return nil, fmt.Errorf("%s: another sbx run has this name: give another one with --name", s.name)
	}
	data, err := json.Marshal(claim{Backend: s.backend, Metadata: s.metadata})
	if err == nil {
		_, err = f.Write(data)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return func() {
		os.Remove(path) // before the lock is given up, so that nobody takes a claim that goes away
		f.Close()
	}, nil
}

// lockClaim opens and locks a claim; nil when another process has it locked or
// has just removed it.
func lockClaim(path string, flags int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|flags, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil && stillThere(f, path) {
		return f, nil
	}
	f.Close()
	if err == unix.EWOULDBLOCK {
		err = nil
	}
	return nil, err
}

func stillThere(f *os.File, path string) bool {
	opened, err1 := f.Stat()
	named, err2 := os.Stat(path)
	return err1 == nil && err2 == nil && os.SameFile(opened, named)
}

// sweep removes what ephemeral sandboxes have left behind whose sbx was killed.
func (r *Runtime) sweep() error {
	dir := filepath.Join(r.options.StateDir, claimDir)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := r.sweepOne(filepath.Join(dir, e.Name()), e.Name()); err != nil {
			return fmt.Errorf("%s: cannot remove what an interrupted sbx run left behind: %w", e.Name(), err)
		}
	}
	return nil
}

func (r *Runtime) sweepOne(path, name string) error {
	f, err := lockClaim(path, 0)
	if errors.Is(err, fs.ErrNotExist) || err == nil && f == nil {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	var c claim
	if json.Unmarshal(data, &c) == nil && c.Metadata != nil { // else it was killed before it made anything
		if err := r.removeLeft(name, c); err != nil {
			return err
		}
	}
	return os.Remove(path)
}

// removeLeft removes a dead process's sandbox. A persistent domain of the name
// is another one, made since.
func (r *Runtime) removeLeft(name string, c claim) error {
	conn, err := r.connectEphemeral(c.Backend)
	if err != nil {
		return err
	}
	dom, err := lookup(conn, name)
	if err != nil {
		return err
	}
	if dom != nil {
		defer dom.Free()
		if persistent, err := dom.IsPersistent(); err != nil || persistent {
			return plain(err)
		}
	}
	return r.remove(conn, name, c.Backend, c.Metadata)
}
