package command

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/say"
	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/compiler/learn"
	"github.com/sbx-dev/sbx/internal/amend"
	"github.com/sbx-dev/sbx/internal/plain"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
)

// print tells a person what was learned.
func (c *Learn) print(a *verb.App, p *schema.Profile, r learn.Result, l lesson) error {
	if l.exit != nil {
		say.Fprintf(a.Stdout, "%s ended with %d before the watch was over\n\n", p.Name, *l.exit)
	}
	if len(r.Open) == 0 {
		say.Fprintln(a.Stdout, "nothing to open: what was refused, the service did without")
	} else {
		say.Fprintf(a.Stdout, "to open, %d:\n", len(r.Open))
		c.printChanges(a, p, r.Open)
	}
	if len(r.Close) > 0 {
		say.Fprintf(a.Stdout, "\nnot used, and could be closed, %d:\n", len(r.Close))
		c.printChanges(a, p, r.Close)
	}
	if len(r.Notes) > 0 {
		say.Fprintf(a.Stdout, "\nseen, and no reason to change anything by itself:\n")
		for _, n := range r.Notes {
			say.Fprintf(a.Stdout, "  %s: %s\n", n.What, n.Why)
		}
	}
	say.Fprintf(a.Stdout, "\nwatched by ptrace and on the host's interfaces, which do not see:\n")
	for _, what := range unseen {
		say.Fprintf(a.Stdout, "  %s\n", what)
	}
	return nil
}

// printChanges shows proposals with their reasons, and as a diff of the files in which
// they can be made.
func (c *Learn) printChanges(a *verb.App, p *schema.Profile, list []learn.Proposal) {
	for _, f := range list {
		if f.Value != "" {
			say.Fprintf(a.Stdout, "  %s gets %s: %s\n", f.Path, f.Value, f.Reason)
		} else {
			say.Fprintf(a.Stdout, "  %s: %s\n", f.Path, f.Reason)
		}
	}
	edits, by := map[string][]amend.Edit{}, map[string]diag.Pos{}
	for _, f := range list {
		for _, e := range editsOf(p, f) {
			edits[e.at.File] = append(edits[e.at.File], e.Edit)
			by[e.at.File] = e.at
		}
	}
	for _, file := range sortedKeys(edits) {
		text, err := c.read(a, by[file])
		if err != nil {
			continue // what is proposed has been said
		}
		changed, _ := amend.Apply(string(text), edits[file])
		out := diff.Diff("a/"+plain.Line(file), text, "b/"+plain.Line(file), []byte(changed))
		_, _ = io.WriteString(a.Stdout, plain.Text(string(out))) // as patch(1) takes it
	}
}

func sortedKeys(m map[string][]amend.Edit) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// read reads a file that a profile was written in.
func (c *Learn) read(a *verb.App, at diag.Pos) ([]byte, error) {
	config, _ := c.Config(a, c.Profile)
	if config.FS != nil {
		return fs.ReadFile(config.FS, at.File)
	}
	return os.ReadFile(filepath.Join(at.Dir, at.File))
}

// placed is an edit and the file that it is of.
type placed struct {
	amend.Edit
	at diag.Pos
}

// editsOf are those that carry a proposal out; none where what it changes was not written
// as plain values.
func editsOf(p *schema.Profile, f learn.Proposal) []placed {
	origin := func(path string) (diag.Pos, bool) {
		if p.Source == nil {
			return diag.Pos{}, false
		}
		return p.Source.Origin(path)
	}
	place := func(at diag.Pos, insert string) []placed {
		return []placed{{amend.Edit{Line: at.Line, Column: at.Column, Insert: insert}, at}}
	}
	if f.Value == "" {
		if at, ok := origin(f.Path); ok {
			return place(at, "")
		}
		return nil
	}
	for _, sibling := range siblings(p, f.Path) { // before the last one that is written
		if at, ok := origin(sibling); ok {
			return place(at, f.Value)
		}
	}
	if at, ok := origin("name"); ok && !strings.ContainsAny(f.Path, ".[") { // a field of its own
		value := fmt.Sprintf("%s: [%s]", f.Path, f.Value)
		if f.Path == "mounts" {
			value = fmt.Sprintf("%s: {%s}", f.Path, f.Value)
		}
		at.Column = 1
		return place(at, "\t"+value)
	}
	return nil
}

// siblings are the paths of what a list or struct holds already, the last one first.
func siblings(p *schema.Profile, path string) (list []string) {
	values, err := p.Values()
	if err != nil {
		return nil
	}
	for _, v := range values {
		rest, ok := strings.CutPrefix(v.Path, path)
		if !ok || rest == "" {
			continue
		}
		at := v.Path
		for up := schema.Enclosing(at); up != path && up != ""; up = schema.Enclosing(up) {
			at = up
		}
		if !slices.Contains(list, at) {
			list = append(list, at)
		}
	}
	slices.Reverse(list)
	return list
}
