package author

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/say"
	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/schema"
)

// Init starts a project of profiles.
type Init struct {
	Name  string `arg:"" optional:"" help:"What the first profile is called (default: hello, or the service of --from)."`
	Dir   string `short:"C" default:"." help:"The project's folder."`
	From  string `placeholder:"ORIGIN" help:"Draft the profile of a service of this host: unit:NAME, package:NAME, command:LINE or pid:NUMBER; or of a container: compose:FILE, quadlet:FILE."`
	Print bool   `help:"Print the profile that --from drafts, and write nothing."`
}

func (Init) Help() string {
	return `Makes a CUE module for profiles: the schema stands in it, so that "cue vet" and
editors check profiles without sbx and without a network, and a first profile
with comments. Run it again after an update of sbx to bring the schema up to
date; nothing else that exists is touched.

With --from, the profile is of a service as it is installed: from its systemd unit
with its drop-ins, what dpkg knows of its packages, whose its files are, and what is
known of services that no unit says (/etc/sbx/services/*.cue adds to it). Each line
has its reason. What is left to decide is printed, and stands in the profile. A
command's line is read as ExecStart= is.

A compose file gives a profile for each of its services, or for the one that NAME
names, and a quadlet one: with the host's programs in place of the image's. What is
not said in the profile stands in a comment, with its line.

Examples:
  sbx init web
  sbx init -C ~/sandboxes
  sbx init --from unit:apache2.service --print
  sbx init --from package:apache2 shop
  sbx init --from compose:compose.yaml`
}

//go:embed init.cue.tmpl
var firstProfile string

// moduleFile is the module that profiles stand in. Its name need not exist.
const moduleFile = `module: "profiles.example@v0"
language: version: "v0.17.0"
`

func (c *Init) Run(a *verb.App) error {
	if c.From != "" {
		return c.draft(a)
	}
	if c.Print {
		return errors.New("--print goes with --from")
	}
	if c.Name == "" {
		c.Name = "hello"
	}
	if err := c.checkName(); err != nil {
		return err
	}
	if err := c.project(a); err != nil {
		return err
	}
	var profile strings.Builder
	t := template.Must(template.New("profile").Parse(firstProfile))
	values := map[string]string{"Name": c.Name, "Package": strings.ReplaceAll(c.Name, "-", "_")}
	if err := t.Execute(&profile, values); err != nil {
		return err
	}
	_, err := addFile(a, filepath.Join(c.Dir, c.Name+".cue"), []byte(profile.String()))
	return err
}

func (c *Init) checkName() error {
	if strings.ToLower(c.Name) != c.Name || strings.ContainsAny(c.Name, "/._ ") {
		return fmt.Errorf("%q is not a name for a profile: want lower-case letters, digits and \"-\", a letter first", c.Name)
	}
	return nil
}

// project makes the module that profiles stand in, with the schema.
func (c *Init) project(a *verb.App) error {
	if _, err := addFile(a, filepath.Join(c.Dir, "cue.mod", "module.cue"), []byte(moduleFile)); err != nil {
		return err
	}
	for name, data := range schema.Files() {
		at := filepath.Join(c.Dir, "cue.mod", "pkg", filepath.FromSlash(schema.ImportPath), name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(at, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// addFile writes a file that does not exist, and names it; isNew is whether it did not.
func addFile(a *verb.App, name string, data []byte) (isNew bool, err error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return false, err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if _, err := f.Write(data); err != nil {
		f.Close()
		return false, err
	}
	say.Fprintln(a.Stdout, name)
	return true, f.Close()
}
