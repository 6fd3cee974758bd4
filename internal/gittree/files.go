package gittree

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// Open implements fs.FS.
func (t *Tree) Open(name string) (fs.File, error) {
	real, i, err := t.find("open", name)
	if err != nil {
		return nil, err
	}
	if i.IsDir() {
		return &folder{info: i, entries: t.folders[real]}, nil
	}
	data, err := t.blobs.read(t.nodes[real].hash, i.size)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return &file{Reader: bytes.NewReader(data), info: i}, nil
}

// Stat implements fs.StatFS.
func (t *Tree) Stat(name string) (fs.FileInfo, error) {
	_, i, err := t.find("stat", name)
	if err != nil {
		return nil, err
	}
	return i, nil
}

// ReadDir implements fs.ReadDirFS.
func (t *Tree) ReadDir(name string) ([]fs.DirEntry, error) {
	real, i, err := t.find("readdir", name)
	if err != nil {
		return nil, err
	}
	if !i.IsDir() {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errors.New("it is no folder")}
	}
	entries := slices.Clone(t.folders[real])
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

// find follows the links in a name.
func (t *Tree) find(op, name string) (real string, i info, err error) {
	fault := func(err error) (string, info, error) {
		return "", info{}, &fs.PathError{Op: op, Path: name, Err: err}
	}
	if !fs.ValidPath(name) {
		return fault(fs.ErrInvalid)
	}
	if real, err = t.resolve(name); err != nil {
		return fault(err)
	}
	if n, ok := t.nodes[real]; ok {
		return real, n.info(path.Base(name)), nil
	}
	if _, ok := t.folders[real]; ok {
		return real, folderInfo(path.Base(name)), nil
	}
	return fault(fs.ErrNotExist)
}

// maxLinks is how many links a name may lead through; Linux allows as many.
const maxLinks = 40

// resolve is the name with all links in it followed, as a kernel would.
func (t *Tree) resolve(name string) (string, error) {
	at, left := ".", strings.Split(name, "/")
	for links := 0; len(left) > 0; {
		part := left[0]
		left = left[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			if at == "." {
				return "", errors.New("a link leads out of the repository")
			}
			at = path.Dir(at)
			continue
		}
		at = path.Join(at, part)
		n := t.nodes[at]
		if n.mode != fs.ModeSymlink {
			continue
		}
		if links++; links > maxLinks {
			return "", errors.New("too many links")
		}
		target, err := t.target(n)
		if err != nil {
			return "", err
		}
		at, left = path.Dir(at), append(strings.Split(target, "/"), left...)
	}
	return at, nil
}

// maxTarget is the longest path that Linux takes.
const maxTarget = 4096

func (t *Tree) target(n node) (string, error) {
	if n.size > maxTarget {
		return "", fmt.Errorf("a link of %d bytes", n.size)
	}
	target, err := t.blobs.read(n.hash, n.size)
	if err == nil && path.IsAbs(string(target)) {
		err = errors.New("a link leads out of the repository")
	}
	return string(target), err
}

// info implements fs.FileInfo.
type info struct {
	name string
	mode fs.FileMode
	size int64
}

func (n node) info(name string) info { return info{name, n.mode | 0o444, n.size} }

func folderInfo(name string) info { return info{name, fs.ModeDir | 0o555, 0} }

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return i.mode }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) IsDir() bool        { return i.mode.IsDir() }
func (i info) Sys() any           { return nil }

// file is an open file.
type file struct {
	*bytes.Reader
	info info
}

func (f *file) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *file) Close() error               { return nil }

// folder is an open folder; it implements fs.ReadDirFile.
type folder struct {
	info    info
	entries []fs.DirEntry
}

func (f *folder) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *folder) Close() error               { return nil }
func (f *folder) Read([]byte) (int, error)   { return 0, errors.New("it is a folder") }

func (f *folder) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		n = len(f.entries)
	} else if len(f.entries) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(f.entries))
	list := f.entries[:n:n]
	f.entries = f.entries[n:]
	return list, nil
}
