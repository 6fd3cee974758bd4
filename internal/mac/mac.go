// Package mac speaks with the kernel's mandatory access control. Of AppArmor, on Debian
// and Ubuntu, which profiles it holds, and to load and remove them: the
// kernel's side is read from its own files (Documentation/admin-guide/LSM/apparmor.rst);
// profiles are compiled and loaded by AppArmor's own parser. Of SELinux, whether it is
// there and enforces, and what its policy knows and allows: the kernel's side is
// selinuxfs (security/selinux/selinuxfs.c).
package mac

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Host is a system by its root folder: "/", but in tests.
type Host string

func (h Host) path(name string) string { return filepath.Join(string(h), name) }

// policyFolder is where the kernel shows what it enforces; root alone reads it.
const policyFolder = "sys/kernel/security/apparmor"

// Enabled says whether the kernel mediates by AppArmor.
func (h Host) Enabled() bool {
	on, err := os.ReadFile(h.path("sys/module/apparmor/parameters/enabled"))
	return err == nil && strings.HasPrefix(string(on), "Y")
}

// Modules are the kernel's security modules, in its own order.
func (h Host) Modules() []string {
	text, err := os.ReadFile(h.path("sys/kernel/security/lsm"))
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSpace(string(text)), ",")
}

// Enforcing is the mode of a profile that denies what it does not allow.
const Enforcing = "enforce"

// Loaded is a profile as the kernel has it; the zero value is one that it has not.
type Loaded struct {
	Mode   string // Enforcing, "complain", "kill" or "unconfined"
	Digest string // of the compiled profile, by the kernel, with what kind of digest it is
}

// Find looks for a profile.
func (h Host) Find(name string) (Loaded, error) {
	list, err := os.ReadFile(h.path(policyFolder + "/profiles"))
	if err != nil {
		return Loaded{}, err
	}
	var found Loaded
	for line := range strings.Lines(string(list)) {
		if mode, is := strings.CutPrefix(strings.TrimSpace(line), name+" ("); is {
			found.Mode = strings.TrimSuffix(mode, ")")
		}
	}
	if found.Mode == "" {
		return found, nil
	}
	found.Digest, err = h.digest(name)
	return found, err
}

// Profiles are the names of all that AppArmor has of them here; none where it is not there.
func (h Host) Profiles() (names []string, err error) {
	list, err := os.ReadFile(h.path(policyFolder + "/profiles"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for line := range strings.Lines(string(list)) {
		if end := strings.LastIndex(line, " ("); end > 0 {
			names = append(names, line[:end])
		}
	}
	return names, err
}

// digest is the kernel's own, of what was loaded; which kind it is depends on the
// kernel, and there may be none.
func (h Host) digest(name string) (string, error) {
	names, err := filepath.Glob(h.path(policyFolder + "/policy/profiles/*/name"))
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(names, func(file string) bool {
		text, err := os.ReadFile(file)
		return err == nil && strings.TrimSpace(string(text)) == name
	})
	if i < 0 {
		return "", nil // removed just now
	}
	for _, kind := range []string{"raw_sha256", "sha256", "raw_sha1", "sha1"} {
		if text, err := os.ReadFile(filepath.Join(filepath.Dir(names[i]), kind)); err == nil {
			return strings.TrimPrefix(kind, "raw_") + ":" + strings.TrimSpace(string(text)), nil
		}
	}
	return "", nil
}

// OfProcess is what confines a process, as "NAME (MODE)" or "unconfined".
func (h Host) OfProcess(pid int) (string, error) {
	attr := h.path(fmt.Sprintf("proc/%d/attr", pid))
	text, err := os.ReadFile(attr + "/apparmor/current")
	if errors.Is(err, os.ErrNotExist) { // before Linux 5.8 there is one for all modules
		text, err = os.ReadFile(attr + "/current")
	}
	return strings.TrimRight(string(text), "\x00\n"), err
}

// parserName is AppArmor's compiler of profiles, of Debian's package apparmor.
const parserName = "apparmor_parser"

// ErrNoParser says that AppArmor's parser is not installed.
var ErrNoParser = errors.New(parserName + " is not there")

// Parser finds it.
func Parser() (string, error) {
	path, err := findProgram(parserName)
	if err != nil {
		return "", ErrNoParser
	}
	return path, nil
}

// Load compiles a profile and has the kernel enforce it from now on, in place of one
// of the same name.
func Load(profile []byte) error { return parse(profile, "--replace") }

// Unload removes a profile. Who is confined by it is not any more.
func Unload(name string) error {
	return parse(fmt.Appendf(nil, "profile %q {}\n", name), "--remove")
}

// parse runs the parser, with no cache, which is for files.
func parse(profile []byte, action string) error {
	parser, err := Parser()
	if err != nil {
		return err
	}
	run := exec.Command(parser, action, "--skip-cache", "--quiet")
	run.Env = append(os.Environ(), "LC_ALL=C")
	run.Stdin = bytes.NewReader(profile)
	if out, err := run.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", parserName, action, err, bytes.TrimSpace(out))
	}
	return nil
}
