package author

import (
	"encoding/json"
	"io"
	"path/filepath"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/say"
	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/schema/diag"
)

type Compile struct {
	Profile string `arg:"" help:"A profile: a file, a folder of profiles, or a name."`
	Output  string `short:"o" placeholder:"DIR" help:"Write each bundle's files to DIR/NAME/."`
	JSON    bool   `help:"Print the bundles as JSON."`
	verb.ProfileFlags
}

func (Compile) Help() string {
	return `Checks a profile and lowers it to a bundle: libvirt domain XML, nwfilter rules,
the network's XML where the profile owns it, and the manifest of the guest's
first process. The same profile gives the same bytes on every machine.

Examples:
  sbx compile profiles/apache.cue            # print every file
  sbx compile profiles/apache.cue -o build   # write build/apache/…`
}

func (c *Compile) Run(a *verb.App) error {
	profiles, err := c.Load(a, c.Profile)
	if err != nil {
		return err
	}
	bundles, err := c.Compile(a, profiles, nil)
	if err != nil {
		return err
	}
	if err := printList(a.Stdout, a.Stderr, verb.Here(warnings(bundles)), "text"); err != nil {
		return err
	}
	switch {
	case c.Output != "":
		return writeBundles(a, c.Output, bundles)
	case c.JSON:
		return printBundlesJSON(a.Stdout, bundles)
	}
	return printBundles(a.Stdout, bundles)
}

func warnings(bundles []*compiler.Bundle) (list diag.List) {
	for _, b := range bundles {
		list = append(list, b.Warnings...)
	}
	return list
}

// writeBundles writes nothing but after everything has compiled.
func writeBundles(a *verb.App, dir string, bundles []*compiler.Bundle) error {
	for _, b := range bundles {
		to := filepath.Join(dir, b.Index.Name)
		if err := writeBundle(to, b); err != nil {
			return err
		}
		say.Fprintln(a.Stdout, to)
	}
	return nil
}

// printBundles prints every file under a line that names it, as txtar does.
func printBundles(w io.Writer, bundles []*compiler.Bundle) error {
	archive := &txtar.Archive{}
	for _, b := range bundles {
		files, err := bundleFiles(b)
		if err != nil {
			return err
		}
		for _, f := range files {
			archive.Files = append(archive.Files, txtar.File{Name: b.Index.Name + "/" + f.Name, Data: f.Data})
		}
	}
	_, err := w.Write(txtar.Format(archive))
	return err
}

// bundleJSON is a bundle as `sbx compile --json` prints it.
type bundleJSON struct {
	Index compiler.Index    `json:"index"`
	Files map[string]string `json:"files"` // name → content
}

func printBundlesJSON(w io.Writer, bundles []*compiler.Bundle) error {
	list := []bundleJSON{}
	for _, b := range bundles {
		one := bundleJSON{Index: b.Index, Files: map[string]string{}}
		for _, f := range b.Files {
			one.Files[f.Name] = string(f.Data)
		}
		list = append(list, one)
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(list)
}
