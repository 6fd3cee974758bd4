package confinement

import (
	"path/filepath"
	"testing"
)

func TestRealPathOfWhatIsNotThereYet(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := realPath(filepath.Join(dir, "a/b")); err != nil || got != filepath.Join(dir, "a/b") {
		t.Error(got, err)
	}
	if got, err := realPath("/"); err != nil || got != "/" {
		t.Error(got, err)
	}
}
