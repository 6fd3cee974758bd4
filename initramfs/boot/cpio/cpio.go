// Package cpio writes the archive that the Linux kernel unpacks into its first
// root file system. The same calls give the same bytes: inode numbers are
// counted, and every time stamp and owner is zero. The format is "newc" of
// Documentation/driver-api/early-userspace/buffer-format.rst in the kernel.
package cpio

import (
	"fmt"
	"io"
	"path"
	"strings"
)

// File types, as in a file's mode.
const (
	modeFile   = 0o100000
	modeFolder = 0o040000
	modeLink   = 0o120000
	modeChar   = 0o020000
)

// Writer writes one archive. A path is relative to the root ("dev/null"), and
// folders are written before what lies in them.
type Writer struct {
	w     io.Writer
	inode uint32
	seen  map[string]bool
}

// NewWriter starts an archive on w.
func NewWriter(w io.Writer) *Writer {
	return &Writer{w: w, seen: map[string]bool{".": true}}
}

// Folder adds a folder with the given permission bits.
func (w *Writer) Folder(name string, perm uint32) error {
	return w.entry(header{name: name, mode: modeFolder | perm, links: 2}, nil)
}

// File adds a regular file.
func (w *Writer) File(name string, perm uint32, content []byte) error {
	return w.entry(header{name: name, mode: modeFile | perm, links: 1}, content)
}

// Link adds a symbolic link that points at target.
func (w *Writer) Link(name, target string) error {
	return w.entry(header{name: name, mode: modeLink | 0o777, links: 1}, []byte(target))
}

// Device adds a character device node.
func (w *Writer) Device(name string, perm, major, minor uint32) error {
	return w.entry(header{name: name, mode: modeChar | perm, links: 1, major: major, minor: minor}, nil)
}

// Close writes the trailer. It does not close the writer underneath.
func (w *Writer) Close() error {
	return w.record(header{name: "TRAILER!!!", links: 1}, nil)
}

type header struct {
	name         string
	mode         uint32
	links        uint32
	major, minor uint32
}

// entry refuses what the kernel would unpack to something else than was meant:
// a path that leaves the root, one that stands twice, one without its folder.
func (w *Writer) entry(h header, content []byte) error {
	switch {
	case h.name != path.Clean(h.name) || path.IsAbs(h.name) || h.name == "." || strings.HasPrefix(h.name, "..") || strings.ContainsRune(h.name, 0):
		return fmt.Errorf("cpio: %q is not a clean path below the root", h.name)
	case w.seen[h.name]:
		return fmt.Errorf("cpio: %q is there twice", h.name)
	case !w.seen[path.Dir(h.name)]:
		return fmt.Errorf("cpio: %q comes before its folder", h.name)
	}
	w.seen[h.name] = true
	w.inode++
	return w.record(h, content)
}

// record writes one header, name and content, each padded to four bytes.
func (w *Writer) record(h header, content []byte) error {
	if int64(len(content)) > 1<<32-1 {
		return fmt.Errorf("cpio: %q is larger than 4 GiB", h.name)
	}
	inode := w.inode
	if h.mode == 0 {
		inode = 0
	}
	head := fmt.Sprintf("070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00",
		inode, h.mode, 0, 0, h.links, 0, len(content), 0, 0, h.major, h.minor, len(h.name)+1, 0, h.name)
	for _, part := range [][]byte{[]byte(head), padding(len(head)), content, padding(len(content))} {
		if _, err := w.w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

func padding(n int) []byte {
	return make([]byte, (4-n%4)%4)
}
