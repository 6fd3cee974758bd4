package author

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"cuelang.org/go/cue/format"
	"github.com/rogpeppe/go-internal/diff"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/say"
	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/internal/plain"
	"github.com/sbx-dev/sbx/schema/load"
)

// Fmt writes CUE files in their usual form.
type Fmt struct {
	Paths []string `arg:"" optional:"" name:"file" default:"." help:"CUE files, folders, DIR/..., or - for standard input."`
	Diff  bool     `short:"d" help:"Show what would change instead; exit with 2 if anything would."`
}

func (Fmt) Help() string {
	return `Writes CUE files in their usual form, as "cue fmt" does, and names those that
it has changed. With --diff it changes nothing, and ends with 2 when it would.

Examples:
  sbx fmt ./...
  sbx fmt --diff web.cue
  sbx fmt - <web.cue`
}

func (c *Fmt) Run(a *verb.App) error {
	changed := false
	for _, arg := range c.Paths {
		files, err := cueFiles(arg)
		if err != nil {
			return err
		}
		for _, name := range files {
			is, err := c.file(a, name)
			if err != nil {
				return err
			}
			changed = changed || is
		}
	}
	if c.Diff && changed {
		return verb.ExitCode(verb.ExitChanges)
	}
	return nil
}

// cueFiles lists the CUE files that arg names.
func cueFiles(arg string) (files []string, err error) {
	dir, recursive := strings.CutSuffix(arg, "...")
	if dir == "" {
		dir = "."
	}
	info, err := os.Stat(dir)
	if arg == "-" || err == nil && !info.IsDir() {
		return []string{arg}, nil
	}
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && name != dir && (!recursive || e.Name() == "cue.mod" || e.Name() == "testdata" || strings.HasPrefix(e.Name(), ".")):
			return filepath.SkipDir
		case e.Type().IsRegular() && filepath.Ext(name) == ".cue":
			files = append(files, name)
		}
		return nil
	})
	return files, err
}

// file formats one file and reports whether that changes it.
func (c *Fmt) file(a *verb.App, name string) (changed bool, err error) {
	data, err := readInput(a, name)
	if err != nil {
		return false, err
	}
	if err := load.CheckSyntax(name, data); err != nil {
		return false, err
	}
	formatted, err := format.Source(data)
	if err != nil {
		return false, fmt.Errorf("%s: %w", name, err)
	}
	changed = !bytes.Equal(data, formatted)
	switch {
	case c.Diff:
		named := plain.Line(name)
		_, err = io.WriteString(a.Stdout, plain.Text(string(diff.Diff(named, data, named+" (formatted)", formatted))))
	case name == "-":
		_, err = a.Stdout.Write(formatted)
	case changed:
		say.Fprintln(a.Stdout, name)
		err = replaceFile(name, formatted)
	}
	return changed, err
}

// maxInput bounds what is read of a file, in bytes: a link of somebody else's may lead to
// one without an end.
const maxInput = 16 << 20

// readInput reads a file, or standard input.
func readInput(a *verb.App, name string) ([]byte, error) {
	if name == "-" {
		return readBounded(name, a.Stdin)
	}
	return readFile(name)
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readBounded(name, f)
}

func readBounded(name string, r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxInput+1))
	if err == nil && len(data) > maxInput {
		err = fmt.Errorf("%s is larger than %d bytes", name, maxInput)
	}
	return data, err
}

// replaceFile gives a file another content, all or nothing.
func replaceFile(name string, data []byte) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".sbx-fmt-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails when it has been renamed
	if _, err := f.Write(data); err != nil {
		f.Close()
		return err
	}
	if err := f.Chmod(info.Mode().Perm()); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
