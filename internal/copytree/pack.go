// Package copytree carries a file or a folder as a tar stream. What it unpacks
// is hostile: nothing is written outside of the folder that the caller names.
package copytree

import (
	"archive/tar"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Pack writes the file or folder at path to w, under the given name. Owners are
// left out; what is neither a file, a folder nor a link is passed over.
func Pack(w io.Writer, path, name string) error {
	out := tar.NewWriter(w)
	err := filepath.WalkDir(path, func(at string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(path, at)
		if err != nil {
			return err
		}
		return packOne(out, at, filepath.Join(name, inside))
	})
	if err != nil {
		return err
	}
	return out.Close()
}

func packOne(out *tar.Writer, path, name string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	target := ""
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		if target, err = os.Readlink(path); err != nil {
			return err
		}
	case !info.IsDir() && !info.Mode().IsRegular():
		return nil
	}
	full, err := tar.FileInfoHeader(info, target)
	if err != nil {
		return err
	}
	err = out.WriteHeader(&tar.Header{
		Typeflag: full.Typeflag, Name: name, Linkname: target,
		Size: full.Size, Mode: int64(info.Mode().Perm()), ModTime: info.ModTime(),
	})
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(out, io.LimitReader(f, full.Size)) // one that grows is cut, one that shrinks an error
	return err
}
