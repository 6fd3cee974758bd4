// Package guestkernel gives tests a kernel for their machines to boot: Debian's
// generic one, which scripts/guest-kernel fetches once without installing it.
package guestkernel

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// Get returns the paths of the kernel image and of its module tree. It skips
// short tests, and fails where the kernel cannot be fetched.
func Get(t testing.TB) (image, modules string) {
	t.Helper()
	if testing.Short() {
		t.Skip("fetches a kernel; not in short tests")
	}
	image, modules, err := Fetch()
	if err != nil {
		t.Fatal(err)
	}
	return image, modules
}

// Prepare fetches the kernel for tests that will run where there is no network.
func Prepare() error {
	_, _, err := Fetch()
	return err
}

// Fetch is Get outside of a test.
func Fetch() (image, modules string, err error) {
	_, here, _, _ := runtime.Caller(0)
	script := exec.Command(filepath.Join(filepath.Dir(here), "../../scripts/guest-kernel"))
	script.Stderr = os.Stderr
	out, err := script.Output()
	if err != nil {
		return "", "", fmt.Errorf("scripts/guest-kernel: %w", err)
	}
	image, modules, ok := strings.Cut(strings.TrimSpace(string(out)), " ")
	if !ok {
		return "", "", fmt.Errorf("scripts/guest-kernel printed %q", out)
	}
	return image, modules, nil
}
