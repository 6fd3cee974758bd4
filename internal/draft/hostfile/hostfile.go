// Package hostfile reads files of a host, whose root it is given, and which anybody may
// have written.
package hostfile

import (
	"errors"
	"fmt"
	"io/fs"
)

// Read reads a regular file of at most so many bytes, through links.
func Read(host fs.FS, name string, limit int64) ([]byte, error) {
	info, err := fs.Stat(host, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("/" + name + " is no regular file")
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("/%s is longer than %d bytes", name, limit)
	}
	return fs.ReadFile(host, name)
}

// Named is why the file of a name cannot be read, which fs.FS calls by another name.
func Named(name string, err error) error {
	var of *fs.PathError
	if errors.As(err, &of) {
		return fmt.Errorf("%s: %w", name, of.Err)
	}
	return err
}
