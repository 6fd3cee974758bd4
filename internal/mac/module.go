package mac

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// semodule changes which modules SELinux's policy is made of, and has the kernel take the
// result; of Debian's package policycoreutils. It takes seconds.
const semodule = "semodule"

// moduleLimit is how long another program may hold the policy's modules.
const moduleLimit = 5 * time.Minute

// ChangeModules has SELinux's policy contain modules, given as CIL by their names, in place
// of those of the same names, and no longer contain others, from now on and after a new
// start of the host. Either all of that is done, or nothing.
func ChangeModules(install map[string][]byte, remove ...string) error {
	dir, err := os.MkdirTemp("", "sbx-policy-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var actions []string
	for _, name := range slices.Sorted(maps.Keys(install)) {
		file := filepath.Join(dir, name+".cil") // by which semodule calls it
		if err := os.WriteFile(file, install[name], 0o600); err != nil {
			return err
		}
		actions = append(actions, "--install="+file)
	}
	for _, name := range remove {
		actions = append(actions, "--remove="+name)
	}
	return semodules(actions)
}

// CanLoadModules says whether the host has what loads modules.
func (h Host) CanLoadModules() bool {
	for _, folder := range []string{"usr/sbin", "usr/bin", "sbin"} {
		if _, err := os.Stat(h.path(folder + "/" + semodule)); err == nil {
			return true
		}
	}
	return false
}

// semodules runs semodule, and again where another program has the modules locked:
// it waits for seconds alone (libsemanage's direct_api.c).
func semodules(actions []string) error {
	program, err := findProgram(semodule)
	if err != nil {
		return err
	}
	for limit := time.Now().Add(moduleLimit); ; time.Sleep(time.Second) {
		run := exec.Command(program, actions...)
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
