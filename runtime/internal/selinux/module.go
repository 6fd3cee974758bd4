package selinux

import (
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sbx-dev/sbx/compiler/selinux"
	"github.com/sbx-dev/sbx/internal/mac"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// maxModule is the most bytes of a module that are read: a sandbox's has some ten
// thousand.
const maxModule = 1 << 20

// Module is the text of the sandbox's own module as the host's policy has it; nil where
// it has none. Somebody else's of that name is read all the same.
func Module(host mac.Host, sandbox string) ([]byte, error) {
	f, err := os.Open(filepath.Join(moduleFolder(host, sandbox), "cil"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	packed, err := io.ReadAll(io.LimitReader(f, maxModule))
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(packed, []byte("BZh")) { // as semanage.conf may have it
		return packed, nil
	}
	return io.ReadAll(io.LimitReader(bzip2.NewReader(bytes.NewReader(packed)), maxModule))
}

// Sandboxes are those that the host's policy has modules of, there or not.
func Sandboxes() (names []string) {
	if !thisHost.HasSELinux() || os.Geteuid() != 0 {
		return nil
	}
	modules, err := filepath.Glob(moduleFolder(thisHost, "*"))
	if err != nil {
		return nil
	}
	for _, m := range modules {
		name := strings.TrimPrefix(filepath.Base(m), selinux.Module(""))
		if schema.IsName(name) && Has(name) {
			names = append(names, name)
		}
	}
	return names
}

// moduleFolder is where libsemanage keeps a module that semodule has brought, without a
// priority of its own (semodule(8): 400).
func moduleFolder(host mac.Host, sandbox string) string {
	policy := value(host, "etc/selinux/config", "SELINUXTYPE")
	return filepath.Join(string(host), "var/lib/selinux", policy, "active/modules/400", selinux.Module(sandbox))
}

// isOf says whether a module is one that sbx has compiled for the sandbox: an
// administrator's may have its name.
func isOf(sandbox string, module []byte) bool {
	return bytes.HasPrefix(module, []byte("(block "+selinux.Module(sandbox)+"\n"))
}

// Load has the host's policy contain the modules of sandboxes, by the sandboxes' names
// (nil: none), unless it has them already.
func Load(modules map[string][]byte) error {
	missing := map[string][]byte{}
	for sandbox, module := range modules {
		have, err := Module(thisHost, sandbox)
		switch {
		case err != nil:
			return err
		case module == nil, bytes.Equal(have, module):
			continue
		case have != nil && !isOf(sandbox, have):
			return fault.New(diag.SELinux, "SELinux's policy has a module %s that is not sbx's: give the sandbox another name, or look what it is (semodule --list=full) and take it away", selinux.Module(sandbox))
		}
		missing[selinux.Module(sandbox)] = module
	}
	if len(missing) == 0 {
		return nil
	}
	if err := mac.ChangeModules(missing); err != nil {
		return fault.New(diag.SELinux, "its policy cannot be put into SELinux's: %w", err)
	}
	return nil
}

// Has says whether the host's policy has the sandbox's module, as far as that can be told.
func Has(sandbox string) bool {
	if !thisHost.HasSELinux() || os.Geteuid() != 0 {
		return false
	}
	have, err := Module(thisHost, sandbox)
	return err == nil && isOf(sandbox, have)
}

// Unload takes the modules of sandboxes from the host's policy, of those that have one, and
// says whether any had. What ran in their types must have ended.
func Unload(sandboxes ...string) (found bool, err error) {
	if !thisHost.HasSELinux() || os.Geteuid() != 0 {
		return false, nil
	}
	var modules []string
	for _, sandbox := range sandboxes {
		have, err := Module(thisHost, sandbox)
		if err != nil {
			return false, err
		}
		if isOf(sandbox, have) {
			modules = append(modules, selinux.Module(sandbox))
		}
	}
	if len(modules) == 0 {
		return false, nil
	}
	if err := mac.ChangeModules(nil, modules...); err != nil {
		return true, fault.New(diag.SELinux, "its policy cannot be taken from SELinux's: %w", err)
	}
	return true, nil
}

// own completes the sandbox's policy with the types of what it sees of this host.
func own(w Wanted) ([]byte, error) {
	seen, err := typesBelow(w.Seen)
	if err != nil {
		return nil, fmt.Errorf("cannot learn what SELinux calls that which it sees: %w", err)
	}
	images, err := typesBelow(w.Images)
	if err != nil {
		return nil, fmt.Errorf("cannot learn what SELinux calls its images: %w", err)
	}
	return selinux.Bind(w.Policy, w.Name, seen, images), nil
}
