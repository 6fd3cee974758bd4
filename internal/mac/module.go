package mac

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// semodule changes which modules SELinux's policy is made of, and has the kernel take the
// result; of Debian's package policycoreutils. It takes seconds.
const semodule = "semodule"

// moduleLimit is how long another program may hold the policy's modules.
const moduleLimit = 5 * time.Minute

// LoadModule has SELinux's policy contain a module, given as CIL, in place of one of the
// same name, from now on and after a new start of the host.
func LoadModule(name string, text []byte) error {
	dir, err := os.MkdirTemp("", "sbx-policy-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, name+".cil") // by which semodule calls it
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return err
	}
	return changeModules("--install=" + file)
}

// UnloadModule takes a module from SELinux's policy.
func UnloadModule(name string) error { return changeModules("--remove=" + name) }

// CanLoadModules says whether the host has what loads modules.
func (h Host) CanLoadModules() bool {
	for _, folder := range []string{"usr/sbin", "usr/bin", "sbin"} {
		if _, err := os.Stat(h.path(folder + "/" + semodule)); err == nil {
			return true
		}
	}
	return false
}

// changeModules runs semodule, and again where another program has the modules locked:
// it waits for seconds alone (libsemanage's direct_api.c).
func changeModules(action string) error {
	program, err := findProgram(semodule)
	if err != nil {
		return err
	}
	for limit := time.Now().Add(moduleLimit); ; time.Sleep(time.Second) {
		run := exec.Command(program, action)
		run.Env = append(os.Environ(), "LC_ALL=C")
		said, err := run.CombinedOutput()
		if err == nil {
			return nil
		}
		if !bytes.Contains(said, []byte("transaction lock")) || time.Now().After(limit) {
			return fmt.Errorf("%s: %w: %s", semodule, err, strings.Join(strings.Fields(string(said)), " "))
		}
	}
}

// findProgram finds an administrator's program. Root's PATH may lack its folder, as su
// leaves it.
func findProgram(name string) (string, error) {
	for _, place := range []string{name, "/usr/sbin/" + name, "/sbin/" + name} {
		if path, err := exec.LookPath(place); err == nil {
			return path, nil
		}
	}
	return "", errors.New(name + " is not there")
}
