// Package copytree carries a file or a folder as a tar stream. What it unpacks
// is hostile: it is written into a fresh private folder, held by descriptor, and
// moved to its place by one rename when it is whole. Nothing else appears or
// changes, whatever the stream says.
package copytree

import (
	"fmt"
	"io/fs"
)

// Limits bound what Unpack writes.
type Limits struct {
	Bytes   int64 // of all files together, holes counted
	Entries int   // files, folders and links
}

// DefaultLimits are those of a copy whose user names none: more than what people
// copy by hand, and less than what fills a disk unseen.
var DefaultLimits = Limits{Bytes: 8 << 30, Entries: 1 << 20}

// kindOf says what a file is that is not copied, in words.
func kindOf(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeNamedPipe != 0:
		return "a FIFO"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	}
	return "neither a file, a folder nor a symbolic link"
}

// notCopied is the error for such a file.
func notCopied(name string, mode fs.FileMode) error {
	return fmt.Errorf("%q is %s, and only files, folders and symbolic links are copied: copy what is beside it, or what is in it", name, kindOf(mode))
}
