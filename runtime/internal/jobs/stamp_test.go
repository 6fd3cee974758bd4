package jobs

import (
	"os"
	"path/filepath"
	"testing"
)

// A timer that is removed leaves nothing by which a later one of its name would start a
// run at once.
func TestRemoveLeavesNoStamp(t *testing.T) {
	hadUnits, hadStamps := units, stamps
	t.Cleanup(func() { units, stamps = hadUnits, hadStamps })
	units, stamps = t.TempDir(), t.TempDir()
	programs := t.TempDir()
	if err := os.WriteFile(filepath.Join(programs, "systemctl"), []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", programs)
	const other = "stamp-sbx-job@backups.timer"
	for _, file := range []string{filepath.Join(units, "sbx-job@backup.timer"), filepath.Join(stamps, "stamp-sbx-job@backup.timer"), filepath.Join(stamps, other)} {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := Remove("backup"); err != nil {
			t.Fatal(err)
		}
	}
	if left, err := os.ReadDir(units); len(left) > 0 || err != nil {
		t.Errorf("units: %v, %v", left, err)
	}
	if left, err := os.ReadDir(stamps); len(left) != 1 || left[0].Name() != other || err != nil {
		t.Errorf("stamps: %v, %v", left, err)
	}
}
