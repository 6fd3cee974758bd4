package copytree

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/sbx-dev/sbx/internal/fresh"
)

// place is where a copy is going to be. Both folders are held by descriptor: who
// else may write in the parent cannot lead the copy elsewhere.
type place struct {
	unpacking   Unpacking
	parent      *os.Root
	private     *os.Root
	privateName string
}

func (u Unpacking) newPlace() (*place, error) {
	parent, err := os.OpenRoot(u.Dir)
	if err != nil {
		return nil, err
	}
	p := &place{unpacking: u, parent: parent, privateName: ".sbx-cp-" + rand.Text()}
	if err := p.refuseOld(); err != nil {
		parent.Close()
		return nil, err
	}
	if err := p.makePrivate(); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// refuseOld says early what move would say late.
func (p *place) refuseOld() error {
	info, err := p.parent.Lstat(p.unpacking.To)
	if errors.Is(err, fs.ErrNotExist) || err == nil && (p.unpacking.Replace || !info.IsDir()) {
		return nil
	}
	return errors.Join(err, p.exists())
}

func (p *place) exists() error {
	return fmt.Errorf("%s has %q already, and one of the two is a folder: name another place, or replace what is there by --replace", p.unpacking.Dir, p.unpacking.To)
}

// makePrivate makes the folder that nobody else can write in, and makes sure that
// it is that folder which is open now.
func (p *place) makePrivate() (err error) {
	if err := p.parent.Mkdir(p.privateName, 0o700); err != nil {
		return err
	}
	if p.private, err = p.parent.OpenRoot(p.privateName); err != nil {
		return err
	}
	dir, err := p.private.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := fresh.Check(dir); err != nil {
		return fmt.Errorf("%s: somebody else changes this folder, so that nothing is copied into it: %w", p.unpacking.Dir, err)
	}
	return nil
}

// move puts the whole copy in its place by one rename, and takes away what it
// replaces.
func (p *place) move() error {
	from, err := p.private.Open(".")
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := p.parent.Open(".")
	if err != nil {
		return err
	}
	defer to.Close()
	rename := func(flags uint) error {
		return unix.Renameat2(int(from.Fd()), copyName, int(to.Fd()), p.unpacking.To, flags)
	}
	switch err = rename(unix.RENAME_NOREPLACE); {
	case err != unix.EEXIST:
	case p.unpacking.Replace:
		err = rename(unix.RENAME_EXCHANGE) // what was there goes with the private folder
	default:
		err = rename(0) // a file by a file
	}
	if err == unix.EISDIR || err == unix.ENOTDIR || err == unix.EEXIST || err == unix.ENOTEMPTY {
		return p.exists()
	}
	return err
}

// close removes the private folder, with the copy where it was not moved.
func (p *place) close() {
	if p.private != nil {
		p.private.Close()
	}
	_ = p.parent.RemoveAll(p.privateName)
	p.parent.Close()
}
