package structure_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The same sources give the same programs in whatever folder and under whatever mask
// they are built, so that anybody can find out whether a program is what its sources
// say. `make test-packages` asks the same of whole packages.
func TestTheSameSourcesGiveTheSamePrograms(t *testing.T) {
	if testing.Short() {
		t.Skip("links sbx twice")
	}
	here, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	there := filepath.Join(t.TempDir(), "else where")
	copySources(t, here, there)
	var programs [2]map[string][]byte
	for i, tree := range []string{here, there} {
		programs[i] = built(t, tree)
		for name, program := range programs[i] {
			if !bytes.Equal(program, programs[0][name]) {
				t.Errorf("%s is another program when it is built in another folder", name)
			}
			if bytes.Contains(program, []byte(tree)) {
				t.Errorf("%s tells where it was built", name)
			}
		}
	}
}

// copySources copies what a build reads.
func copySources(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		hidden := strings.HasPrefix(d.Name(), ".") && path != from
		switch {
		case d.IsDir() && (hidden || rel == "bin"):
			return filepath.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		case hidden || !d.Type().IsRegular():
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), data, info.Mode().Perm())
	})
	if err != nil {
		t.Fatal(err)
	}
}

// built are the programs that `make build` makes of a tree.
func built(t *testing.T, tree string) map[string][]byte {
	t.Helper()
	bin := t.TempDir()
	build := exec.Command("make", "build", "VERSION=1.2.3", "BIN="+bin)
	build.Dir = tree
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	programs := map[string][]byte{}
	for _, name := range []string{"sbx", "sbx-init"} {
		data, err := os.ReadFile(filepath.Join(bin, name))
		if err != nil {
			t.Fatal(err)
		}
		programs[name] = data
	}
	return programs
}
