package runtime

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

	"libvirt.org/go/libvirt"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/internal/lockfile"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/bound"
	"github.com/sbx-dev/sbx/runtime/internal/virt"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// claim is what has to be removed after a process that could not. The state folder
// has one for each ephemeral sandbox, whose process keeps it locked; one that is not
// locked was left behind by a process that was killed, together with the sandbox's
// folder and filters. libvirt cannot remember those: it forgets a transient domain as
// it ends.
type claim struct {
	Backend  schema.Backend
	Metadata *compiler.Metadata
	Embed    string // the root folder of the embedded driver that runs it, or ""
}

// claim makes the sandbox's name this process's own until release is called.
func (r *Runtime) claim(ctx context.Context, s *bound.Sandbox, conn *libvirt.Connect) (release func(), err error) {
	c := claim{Backend: s.Backend, Metadata: s.Metadata}
	if r.embed.is(conn) {
		c.Embed = r.embed.dir()
	}
	data, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	dir, err := r.state().Make(state.Claims)
	if err != nil {
		return nil, err
	}
	f, err := lockClaim(ctx, filepath.Join(dir, s.Name), os.O_CREATE)
	if err != nil {
		return nil, err
	}
	if f == nil {
		return nil, fault.New(diag.NameTaken, "%s: another sbx run has this name: give another one with --name", s.Name)
	}
	if _, err := f.Write(data); err != nil {
		f.Close()
		return nil, err
	}
	return func() { _ = dropClaim(f) }, nil // the next one finds it, as if we had been killed
}

// lockClaim opens and locks a claim; nil when another process has it locked.
func lockClaim(ctx context.Context, path string, flags int) (*os.File, error) {
	unlock, err := lockClaims(ctx, filepath.Dir(path))
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

// dropClaim removes a claim that this process has locked.
func dropClaim(f *os.File) error {
	unlock, err := lockClaims(context.Background(), filepath.Dir(f.Name()))
	if err != nil {
		return err
	}
	defer unlock()
	defer f.Close()
	return os.Remove(f.Name())
}

// claimsLimit is how long others may take for one step on a claim.
const claimsLimit = time.Minute

// lockClaims makes a change of a claim and of its lock one step: nobody else
// takes a claim that has just been made, or one that is about to go.
func lockClaims(ctx context.Context, dir string) (unlock func(), err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, claimsLimit, fmt.Errorf("for %v: it hangs, or is stopped", claimsLimit))
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

// sweep removes what ephemeral sandboxes have left behind whose sbx was killed.
func (r *Runtime) sweep(ctx context.Context) error {
	dir := r.state().Path(state.Claims)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := r.sweepOne(ctx, filepath.Join(dir, e.Name()), e.Name()); err != nil {
			return fmt.Errorf("%s: cannot remove what an interrupted sbx run left behind: %w", e.Name(), err)
		}
	}
	return nil
}

func (r *Runtime) sweepOne(ctx context.Context, path, name string) error {
	f, err := lockClaim(ctx, path, 0)
	if errors.Is(err, fs.ErrNotExist) || err == nil && f == nil {
		return nil
	}
	if err != nil {
		return err
	}
	if err := r.sweepClaim(f, name); err != nil {
		f.Close()
		return err
	}
	return dropClaim(f)
}

// sweepClaim removes what a claim names, unless its process was killed before it
// made anything.
func (r *Runtime) sweepClaim(f io.Reader, name string) error {
	data, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	var c claim
	if json.Unmarshal(data, &c) != nil || c.Metadata == nil {
		return nil
	}
	return r.removeLeft(name, c)
}

// removeLeft removes a dead process's sandbox. A persistent domain of the name
// is another one, made since.
func (r *Runtime) removeLeft(name string, c claim) error {
	conn, err := r.connectEphemeral(c.Backend, r.connect)
	if err != nil {
		return err
	}
	dom, err := virt.Lookup(conn, name)
	if err != nil {
		return err
	}
	if dom != nil {
		defer dom.Free()
		if persistent, err := virt.IsPersistent(dom); err != nil || persistent {
			return err
		}
	}
	if err := r.remove(conn, name, c.Backend, c.Metadata); err != nil || c.Embed == "" {
		return err
	}
	return removeEmbedLog(c.Embed, name)
}
