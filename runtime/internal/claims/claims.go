package claims

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/internal/lockfile"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Claim is what has to be removed after a process that could not. The state folder
// has one for each ephemeral sandbox, whose process keeps it locked; one that is not
// locked was left behind by a process that was killed, together with the sandbox's
// folder and filters. libvirt cannot remember those: it forgets a transient domain as
// it ends.
type Claim struct {
	Backend  schema.Backend
	Metadata *compiler.Metadata
	Embed    string // the root folder of the embedded driver that runs it, or ""
}

// Make makes a sandbox's name this process's own until release is called.
func Make(ctx context.Context, folder state.Folder, name string, c Claim) (release func(), err error) {
	data, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	dir, err := folder.Make(state.Claims)
	if err != nil {
		return nil, err
	}
	f, err := lock(ctx, filepath.Join(dir, name), os.O_CREATE)
	if err != nil {
		return nil, err
	}
	if f == nil {
		return nil, fault.New(diag.NameTaken, "%s: another sbx run or sbx learn has this name: wait until it has ended, or give another name, to sbx run with --name", name)
	}
	if _, err := f.Write(data); err != nil {
		f.Close()
		return nil, err
	}
	return func() { _ = drop(f) }, nil // the next one finds it, as if we had been killed
}

// Names are those that have a claim, whose process may have been killed.
func Names(folder state.Folder) (names []string, err error) {
	entries, err := os.ReadDir(folder.Path(state.Claims))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

// Held is the claim of a name whose process lives; nil for none.
func Held(folder state.Folder, name string) *Claim {
	path := folder.Path(state.Claims, name)
	if f, err := lock(context.Background(), path, 0); f != nil || err != nil {
		if f != nil { // its process has been killed
			f.Close()
		}
		return nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	var c Claim
	if json.Unmarshal(data, &c) != nil || c.Metadata == nil {
		return nil
	}
	return &c
}

// lock opens and locks a claim; nil when another process has it locked.
func lock(ctx context.Context, path string, flags int) (*os.File, error) {
	unlock, err := lockAll(ctx, filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer unlock()
	f, err := os.OpenFile(path, os.O_RDWR|flags, 0o600)
	if err != nil {
		return nil, err
	}
	locked, err := lockfile.Try(f, lockfile.Exclusive)
	if locked {
		return f, nil
	}
	f.Close()
	return nil, err
}

// drop removes a claim that this process has locked.
func drop(f *os.File) error {
	unlock, err := lockAll(context.Background(), filepath.Dir(f.Name()))
	if err != nil {
		return err
	}
	defer unlock()
	defer f.Close()
	return os.Remove(f.Name())
}

// lockLimit is how long others may take for one step on a claim.
const lockLimit = time.Minute

// lockAll makes a change of a claim and of its lock one step: nobody else
// takes a claim that has just been made, or one that is about to go.
func lockAll(ctx context.Context, dir string) (unlock func(), err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, lockLimit, fmt.Errorf("for %v: it hangs, or is stopped", lockLimit))
	defer cancel()
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := lockfile.Wait(ctx, f, lockfile.Exclusive); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}

// Sweep has what ephemeral sandboxes have left behind whose sbx was killed be
// removed, and their claims.
func Sweep(ctx context.Context, folder state.Folder, remove func(name string, c Claim) error) error {
	names, err := Names(folder)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := sweepOne(ctx, folder.Path(state.Claims, name), name, remove); err != nil {
			return fmt.Errorf("%s: cannot remove what an interrupted sbx run left behind: %w", name, err)
		}
	}
	return nil
}

func sweepOne(ctx context.Context, path, name string, remove func(string, Claim) error) error {
	f, err := lock(ctx, path, 0)
	if errors.Is(err, fs.ErrNotExist) || err == nil && f == nil {
		return nil
	}
	if err != nil {
		return err
	}
	if err := sweepClaim(f, name, remove); err != nil {
		f.Close()
		return err
	}
	return drop(f)
}

// sweepClaim has what a claim names be removed, unless its process was killed before it
// made anything.
func sweepClaim(f io.Reader, name string, remove func(string, Claim) error) error {
	data, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	var c Claim
	if json.Unmarshal(data, &c) != nil || c.Metadata == nil {
		return nil
	}
	return remove(name, c)
}
