package jobs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/internal/state"
	"github.com/sbx-dev/sbx/runtime/fault"
	"github.com/sbx-dev/sbx/runtime/internal/hostfile"
	"github.com/sbx-dev/sbx/schema/diag"
)

// Machines are what runs of machines have from the flags of their up: the timer has none.
type Machines struct {
	Accel   string `json:"accel,omitempty"`
	Kernel  string `json:"kernel,omitempty"`
	Modules string `json:"modules,omitempty"`
}

// kept is a bundle as it stands in a sandbox's folder.
type kept struct {
	Index    compiler.Index  `json:"index"`
	Files    []compiler.File `json:"files"`
	Machines Machines        `json:"machines,omitzero"`
}

// Keep writes the bundle into the sandbox's folder, for the runs that the timer starts.
func Keep(dir string, b *compiler.Bundle, by Machines) error {
	data, err := json.Marshal(kept{b.Index, b.Files, by})
	if err != nil {
		return err
	}
	return hostfile.WriteAtomic(filepath.Join(dir, state.Bundle), data, 0o600)
}

// Kept is the bundle that Keep has written.
func Kept(dir, sandbox string) (*compiler.Bundle, Machines, error) {
	data, err := os.ReadFile(filepath.Join(dir, state.Bundle))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Machines{}, fault.New(diag.NoSandbox, "there is no job %s: sbx up makes one of a profile that has every", sandbox)
	}
	if err != nil {
		return nil, Machines{}, err
	}
	var k kept
	if err := json.Unmarshal(data, &k); err != nil {
		return nil, Machines{}, fmt.Errorf("%s: the bundle in its folder cannot be read: sbx up %s writes it anew (%w)", sandbox, sandbox, err)
	}
	return &compiler.Bundle{Index: k.Index, Files: k.Files}, k.Machines, nil
}

// Begin has a run of what is kept of a sandbox begin, and of what is kept then where
// Still says that it is another meanwhile.
func Begin(dir, sandbox string, begin func(*compiler.Bundle, Machines) error) error {
	for {
		b, by, err := Kept(dir, sandbox)
		if err != nil {
			return err
		}
		if err := begin(b, by); !errors.Is(err, ErrReplaced) {
			return err
		}
	}
}

// ErrReplaced says that another bundle is kept by now.
var ErrReplaced = errors.New("its profile has been applied anew meanwhile")

// Still says whether the bundle, which Kept has given, is the one that is kept; who calls
// it holds the sandbox's lock. Without that, a run whose sandbox is taken down while it
// begins would make it anew, and one whose profile changes would take the change back.
func Still(dir string, b *compiler.Bundle) error {
	now, _, err := Kept(dir, b.Index.Name)
	if err != nil {
		return err
	}
	have, err := now.Index.Encode() // which has the digests of all files
	if err != nil {
		return err
	}
	if had, err := b.Index.Encode(); err != nil || !bytes.Equal(have, had) {
		return errors.Join(err, ErrReplaced)
	}
	return nil
}

// Forget removes the bundle.
func Forget(dir string) error { return hostfile.RemoveFile(filepath.Join(dir, state.Bundle)) }
