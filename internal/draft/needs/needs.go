// Package needs says which libraries a program names, where the loader looks for them, and
// what they read themselves.
package needs

import (
	"debug/elf"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Libraries are those that a program or library of a host names, and the folders where
// it wants them looked for. A script has none.
func Libraries(host fs.FS, name string) (libraries, folders []string) {
	f, err := host.Open(strings.TrimPrefix(name, "/"))
	if err != nil {
		return nil, nil
	}
	defer f.Close()
	r, ok := f.(io.ReaderAt)
	if !ok {
		return nil, nil
	}
	object, err := elf.NewFile(r)
	if err != nil {
		return nil, nil
	}
	libraries, _ = object.ImportedLibraries()
	for _, tag := range []elf.DynTag{elf.DT_RUNPATH, elf.DT_RPATH} {
		values, _ := object.DynString(tag)
		for _, v := range values {
			for folder := range strings.SplitSeq(v, ":") {
				folder = strings.ReplaceAll(folder, "$ORIGIN", path.Dir(name))
				folders = append(folders, strings.ReplaceAll(folder, "${ORIGIN}", path.Dir(name)))
			}
		}
	}
	// a path is no name that is looked for
	return slices.DeleteFunc(libraries, func(n string) bool { return strings.Contains(n, "/") }), folders
}
