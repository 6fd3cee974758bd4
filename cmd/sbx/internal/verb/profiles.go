package verb

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/profiles"
	"github.com/sbx-dev/sbx/runtime"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
	"github.com/sbx-dev/sbx/schema/load"
)

// ProfileFlags are the arguments of the verbs that read profiles.
type ProfileFlags struct {
	Tag    []string `short:"t" name:"tag" placeholder:"KEY=VALUE" help:"Set the profile's @tag(KEY)."`
	Policy string   `placeholder:"DIR" help:"Refuse profiles that break the CUE rules of a folder."`

	Tests   bool   `kong:"-"` // read NAME_test.cue, too
	Without string `kong:"-"` // a file to leave out
}

// Load reads the profiles that args name: files, folders, "-", or the bare
// names of profiles that stand in the usual places or ship with sbx.
func (f *ProfileFlags) Load(a *App, args ...string) ([]*schema.Profile, error) {
	compiler.Preload() // while they are read
	var found []*schema.Profile
	var wrong diag.List
	for _, arg := range args {
		c, path := f.Config(a, arg)
		more, err := c.Load(path)
		found = append(found, more...)
		list, ok := diag.From(err)
		if err != nil && !ok {
			return nil, err
		}
		wrong = append(wrong, list...)
	}
	return found, wrong.Err()
}

// Config says how to read what arg names, and its path.
func (f *ProfileFlags) Config(a *App, arg string) (*load.Config, string) {
	c := &load.Config{Tags: f.Tag, Policy: f.Policy, Stdin: a.Stdin, Tests: f.Tests, Without: f.Without, Memory: Memory()}
	path, shipped := FindProfile(arg)
	if shipped {
		c.FS = profiles.FS()
	}
	return c, path
}

// LoadOne reads the one profile that arg names.
func (f *ProfileFlags) LoadOne(a *App, arg string) (*schema.Profile, error) {
	found, err := f.Load(a, arg)
	if err != nil {
		return nil, err
	}
	if len(found) != 1 {
		return nil, fmt.Errorf("%s holds %d profiles (%s); name one of their files", arg, len(found), strings.Join(names(found), ", "))
	}
	return found[0], nil
}

func names(found []*schema.Profile) []string {
	list := make([]string, len(found))
	for i, p := range found {
		list[i] = p.Name
	}
	return list
}

// SystemProfiles is where a host keeps the profiles of its services.
const SystemProfiles = "/etc/sbx/profiles"

// FindProfile is the file that arg names. A bare name is looked for in the
// current folder, in ./profiles and in /etc/sbx/profiles; then among the
// profiles that ship with sbx, which shipped reports. What is found nowhere
// comes back as it is, for loading to report.
func FindProfile(arg string) (path string, shipped bool) {
	if arg == "-" || strings.ContainsRune(arg, filepath.Separator) || Exists(arg) {
		return arg, false
	}
	file := arg + ".cue"
	for _, dir := range []string{".", "profiles", SystemProfiles} {
		if p := filepath.Join(dir, file); Exists(p) {
			return p, false
		}
	}
	if _, err := fs.Stat(profiles.FS(), file); err == nil {
		return file, true
	}
	return arg, false
}

func Exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Compile compiles the profiles; their rules may name each other, and others that
// Peers finds.
func (f *ProfileFlags) Compile(a *App, profiles []*schema.Profile, host *runtime.Runtime) ([]*compiler.Bundle, error) {
	if err := compiler.Together(profiles).Err(); err != nil {
		return nil, err
	}
	peers, err := f.Peers(a, profiles, host)
	if err != nil {
		return nil, err
	}
	var bundles []*compiler.Bundle
	for _, p := range profiles {
		b, err := compiler.Compile(p, compiler.Options{Peers: peers})
		if err != nil {
			return nil, err
		}
		bundles = append(bundles, b)
	}
	return bundles, nil
}
