package copytree

import (
	"archive/tar"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"
	"time"
)

// Check says whether Pack can carry all that is at path: only files, folders and
// symbolic links.
func Check(path string) error {
	return filepath.WalkDir(path, func(at string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !carried(e.Type()) {
			return notCopied(at, e.Type())
		}
		return nil
	})
}

func carried(mode fs.FileMode) bool {
	return mode.IsRegular() || mode.IsDir() || mode&fs.ModeSymlink != 0
}

// Pack writes the file or folder at from to w, under the given name. Owners are
// left out. A sandbox may be writing in that folder at the same time, so nothing
// outside of it is read, whatever becomes of its links meanwhile.
func Pack(w io.Writer, from, name string) error {
	root, err := os.OpenRoot(filepath.Dir(from))
	if err != nil {
		return err
	}
	defer root.Close()
	p := packer{tar.NewWriter(w), root, filepath.Base(from), name}
	info, err := root.Lstat(p.from)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		err = p.add(".", info)
	} else {
		err = p.tree()
	}
	if err != nil {
		return err
	}
	return p.out.Close()
}

// packer packs what lies at from in root, as name.
type packer struct {
	out        *tar.Writer
	root       *os.Root
	from, name string
}

// tree packs a folder from a descriptor of its own.
func (p packer) tree() error {
	dir, err := p.root.OpenRoot(p.from)
	if err != nil {
		return err
	}
	defer dir.Close()
	p.root, p.from = dir, "."
	return fs.WalkDir(dir.FS(), ".", func(inside string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := dir.Lstat(inside)
		if err != nil {
			return err
		}
		return p.add(inside, info)
	})
}

// add packs one entry.
func (p packer) add(inside string, info fs.FileInfo) error {
	at, h := path.Join(p.from, inside), tar.Header{Name: path.Join(p.name, inside)}
	switch {
	case info.Mode().IsRegular():
		return p.file(at, h)
	case info.IsDir():
		h.Typeflag = tar.TypeDir
	case info.Mode()&fs.ModeSymlink != 0:
		h.Typeflag = tar.TypeSymlink
		target, err := p.root.Readlink(at)
		if err != nil {
			return err
		}
		h.Linkname = target
	default:
		return notCopied(at, info.Mode())
	}
	return p.out.WriteHeader(describe(h, info))
}

// file packs what is open, which is what its header describes.
func (p packer) file(at string, h tar.Header) error {
	f, err := p.root.OpenFile(at, os.O_RDONLY|syscall.O_NONBLOCK, 0) // it may be a FIFO by now, whose opening waits
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%q changed while it was copied: try again", at)
	}
	h.Typeflag, h.Size = tar.TypeReg, info.Size()
	if err := p.out.WriteHeader(describe(h, info)); err != nil {
		return err
	}
	_, err = io.Copy(p.out, io.LimitReader(f, h.Size)) // one that grows is cut, one that shrinks an error
	return err
}

func describe(h tar.Header, info fs.FileInfo) *tar.Header {
	h.Mode, h.ModTime = int64(info.Mode().Perm()), info.ModTime().Truncate(time.Second) // tar would round up, and warn of a future
	return &h
}
