package inits

import (
	"cmp"
	"context"
	"debug/elf"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/internal/arch"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/hostfile"
	"github.com/sbx-dev/sbx/runtime/internal/locks"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Inits are the versions of sbx-init that sandboxes of a state folder have.
type Inits struct {
	Named  string // the one that the caller has named; "" is none
	Folder state.Folder
	Locks  locks.Locks
	Last   *Last // of one process; nil: it is read each time
}

// Path is the sbx-init that sandboxes of an architecture get; "" is this host's.
func (i Inits) Path(of string) (string, error) {
	a, err := ArchOf(of)
	if err != nil {
		return "", err
	}
	path, err := i.find(a)
	if err != nil {
		return "", err
	}
	return path, check(path, a)
}

// find finds the sbx-init that sandboxes are to run: the one that the
// caller or SBX_INIT names, else the one beside sbx, in ../libexec/sbx or in
// /usr/lib/sbx. That of an architecture which is not this host's is beside it, with
// the architecture behind its name.
func (i Inits) find(a arch.Arch) (string, error) {
	suffix := ""
	if host, err := arch.Host(); err != nil || host.Name != a.Name {
		suffix = "-" + a.Name
	}
	if named := cmp.Or(i.Named, os.Getenv("SBX_INIT")); named != "" {
		return named + suffix, nil
	}
	places := []string{"/usr/lib/sbx/sbx-init" + suffix}
	if self, err := os.Executable(); err == nil {
		dir := filepath.Dir(self)
		places = append([]string{filepath.Join(dir, "sbx-init"+suffix), filepath.Join(dir, "../libexec/sbx/sbx-init"+suffix)}, places...)
	}
	for _, p := range places {
		if _, err := os.Stat(p); err == nil {
			return p, nil
		}
	}
	return "", fault.New(diag.NoInit, "cannot find sbx-init%s, which runs inside every sandbox: looked for %s; make build%s puts it beside sbx, and SBX_INIT names it anywhere", suffix, strings.Join(places, ", "), suffix)
}

// install puts sbx-init into the state folder under its digest and gives
// that path: a sandbox that runs keeps its own while a newer one is installed.
func (i Inits) install() (string, error) {
	a, err := ArchOf("")
	if err != nil {
		return "", err
	}
	from, err := i.find(a)
	if err != nil {
		return "", err
	}
	digest := i.Last.digest(from)
	var data []byte
	if digest == "" {
		if data, digest, err = i.read(from, a); err != nil {
			return "", err
		}
	}
	dir, err := i.Folder.Make(state.Inits)
	if err != nil {
		return "", err
	}
	to := filepath.Join(dir, digest)
	if _, err := os.Stat(to); err == nil {
		return to, nil
	}
	if data == nil { // known, and removed since with the last that had it
		if data, digest, err = i.read(from, a); err != nil {
			return "", err
		}
		to = filepath.Join(dir, digest)
	}
	return to, hostfile.WriteAtomic(to, data, 0o755)
}

// read reads a sbx-init for an architecture, and notes which it was.
func (i Inits) read(from string, a arch.Arch) (data []byte, digest string, err error) {
	info, err := os.Stat(from) // before it is read: what is written later is another one
	if err == nil {
		data, err = os.ReadFile(from)
	}
	if err != nil {
		return nil, "", fault.New(diag.NoInit, "sbx-init %s: %w", from, err)
	}
	if err := check(from, a); err != nil {
		return nil, "", err
	}
	_, digest, _ = strings.Cut(compiler.Digest(data), ":")
	i.Last.note(info, digest)
	return data, digest, nil
}

// Last is the sbx-init that was read last, which is not read again for each of many
// sandboxes. Nil is none.
type Last struct {
	mu  sync.Mutex
	of  os.FileInfo
	sum string
}

// digest is that of the file at the path, "" where it is not known.
func (l *Last) digest(path string) string {
	if l == nil {
		return ""
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now, err := os.Stat(path)
	if err != nil || l.of == nil || !os.SameFile(now, l.of) || now.Size() != l.of.Size() || !now.ModTime().Equal(l.of.ModTime()) {
		return ""
	}
	return l.sum
}

func (l *Last) note(of os.FileInfo, digest string) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of, l.sum = of, digest
}

// Link makes path another name of the installed sbx-init.
func (i Inits) Link(ctx context.Context, path string) error {
	unlock, err := i.Locks.Lock(ctx, locks.All) // against prune
	if err != nil {
		return err
	}
	defer unlock()
	installed, err := i.install()
	if err != nil {
		return err
	}
	return os.Link(installed, path)
}

// check refuses a program for another architecture, and one that needs an
// interpreter, which a sandbox's root need not have.
func check(path string, a arch.Arch) error {
	f, err := elf.Open(path)
	if err != nil {
		return fault.New(diag.NoInit, "sbx-init %s is not a program: %w", path, err)
	}
	defer f.Close()
	if f.Machine != a.Runs[0] {
		return fault.New(diag.NoInit, "sbx-init %s is for %v, and the sandbox is %s: build it with GOARCH=%s", path, f.Machine, a.Name, a.Go)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return fault.New(diag.NoInit, "sbx-init %s is linked dynamically: build it with CGO_ENABLED=0", path)
		}
	}
	return nil
}

// Prune removes the versions of sbx-init that no sandbox has a link to. The
// caller holds the lock of all names.
func (i Inits) Prune() error {
	dir := i.Folder.Path(state.Inits)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := hostfile.RemoveUnlinked(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
