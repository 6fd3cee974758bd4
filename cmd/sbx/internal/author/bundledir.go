package author

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sbx-dev/sbx/compiler"
)

const indexName = "index.json"

// bundleFiles lists all files of a bundle, the index among them.
func bundleFiles(b *compiler.Bundle) ([]compiler.File, error) {
	index, err := b.Index.Encode()
	if err != nil {
		return nil, err
	}
	return append(b.Files[:len(b.Files):len(b.Files)], compiler.File{Name: indexName, Data: index}), nil
}

// writeBundle puts a bundle's files in dir, in place of a bundle that stands
// there already. An interruption leaves the old bundle, the new one or none, but
// never a part or a mixture; a folder that is not a bundle is left alone.
func writeBundle(dir string, b *compiler.Bundle) error {
	if err := checkReplaceable(dir); err != nil {
		return err
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	fresh, err := os.MkdirTemp(parent, ".sbx-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(fresh)
	if err := os.Chmod(fresh, 0o755); err != nil {
		return err
	}
	files, err := bundleFiles(b)
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(fresh, f.Name), f.Data, 0o644); err != nil {
			return err
		}
	}
	return replace(dir, fresh)
}

// replace renames fresh to dir and removes what stood there.
func replace(dir, fresh string) error {
	old := fresh + ".old"
	defer os.RemoveAll(old)
	if err := os.Rename(dir, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Rename(fresh, dir)
}

// checkReplaceable refuses a folder that holds anything but a bundle.
func checkReplaceable(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := os.Lstat(filepath.Join(dir, indexName)); err != nil {
		return fmt.Errorf("%s holds something other than a bundle: name another folder with -o, or empty it", dir)
	}
	return nil
}
