package author

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/say"
	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/internal/draft"
	"github.com/sbx-dev/sbx/internal/draft/profile"
)

// draft writes the profile of a service of this host.
func (c *Init) draft(a *verb.App) error {
	if c.Name != "" {
		if err := c.checkName(); err != nil {
			return err
		}
	}
	from := c.From
	if file := draft.OfFile(from); file != "" {
		whole, err := filepath.Abs(file)
		if err != nil {
			return err
		}
		from = strings.TrimSuffix(from, file) + whole
	}
	all, err := draft.From(os.DirFS("/"), from, c.Name)
	if err != nil {
		return err
	}
	for _, d := range all {
		if err := c.put(a, d); err != nil {
			return err
		}
	}
	return nil
}

// put writes one profile that has been drafted, and says what is left to decide.
func (c *Init) put(a *verb.App, d *profile.Draft) error {
	if c.Print {
		_, err := a.Stdout.Write(d.Source)
		return err
	}
	if err := c.project(a); err != nil {
		return err
	}
	name := filepath.Join(c.Dir, d.Name+".cue")
	isNew, err := addFile(a, name, d.Source)
	if err == nil && !isNew {
		way := fmt.Sprintf("give the profile another name, sbx init --from %s NAME", c.From)
		if strings.HasPrefix(c.From, "compose:") { // whose services have their names
			way = "move it away"
		}
		err = fmt.Errorf("%s is there already: %s, or see the new one with --print", name, way)
	}
	if err != nil {
		return err
	}
	for _, e := range d.Edits {
		say.Fprintf(a.Stderr, "edit %s: %s\n", name, e)
	}
	return nil
}
