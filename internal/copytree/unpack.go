package copytree

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// Unpack writes what a tar stream holds into dir. The entries must be called
// from, or lie below it; they are written as to. Files that are there are
// replaced. A name or a link that leads out of dir ends it with an error, and
// what is neither a file, a folder nor a symbolic link is an error, too.
func Unpack(r io.Reader, dir, from, to string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	in := tar.NewReader(r)
	for found := false; ; found = true {
		h, err := in.Next()
		if errors.Is(err, io.EOF) && found {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the sandbox's tar stream: %w", err)
		}
		name := path.Clean(h.Name)
		rest, ok := strings.CutPrefix(name, from)
		if !ok || rest != "" && rest[0] != '/' {
			return fmt.Errorf("the sandbox's tar stream holds %q, which was not asked for", h.Name)
		}
		if err := unpackOne(root, in, h, path.Clean(to+rest)); err != nil {
			return err
		}
	}
}

func unpackOne(root *os.Root, in io.Reader, h *tar.Header, name string) error {
	mode := fs.FileMode(h.Mode) & fs.ModePerm
	switch h.Typeflag {
	case tar.TypeDir:
		err := root.Mkdir(name, mode|0o700)
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		return err
	case tar.TypeSymlink:
		if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return root.Symlink(h.Linkname, name)
	case tar.TypeReg:
		if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
		if err != nil {
			return err
		}
		if _, err := io.Copy(f, in); err != nil {
			f.Close()
			return err
		}
		return f.Close()
	}
	return fmt.Errorf("%q is neither a file, a folder nor a symbolic link, and is not copied", h.Name)
}
