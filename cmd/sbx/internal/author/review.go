package author

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/say"
	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/compiler/review"
	"github.com/sbx-dev/sbx/internal/gittree"
	"github.com/sbx-dev/sbx/schema"
	"github.com/sbx-dev/sbx/schema/diag"
	"github.com/sbx-dev/sbx/schema/load"
)

type Review struct {
	Old    string   `arg:"" help:"A file, a folder, a git revision, or two revisions as OLD..NEW."`
	New    string   `arg:"" optional:"" help:"The same. Without it, a revision is compared with the current folder."`
	Format string   `enum:"text,markdown,json,sarif,github" default:"text" help:"text, markdown, json, sarif or github."`
	Allow  []string `sep:"none" placeholder:"NAME" help:"Accept a widening: PROFILE, DIMENSION, PROFILE/DIMENSION, or PROFILE/DIMENSION/WHAT as the json format names it."`
	verb.ProfileFlags
}

func (Review) Help() string {
	return `Compares what two versions of profiles mean: which packets, host paths,
capabilities, resources and so on one lets a sandbox have and the other does not,
each with a packet or path that shows it and the line that lets it through.

With git revisions, all profiles below the current folder are compared. The exit
code is 0 when nothing widened, 2 when something did that --allow does not name,
and 1 on errors. A profile that is gone is to be allowed by its name, and so is, by
its path, a file that changed and could not be read as "sbx up" might.

Examples:
  sbx review ~/apache.cue profiles/apache.cue
  sbx review main..HEAD                        # every profile that changed
  sbx review main --format markdown            # this folder against main
  sbx review main..HEAD --allow apache/ingress # in CI, this one is meant`
}

func (c *Review) Run(a *verb.App) error {
	before, after, err := c.sides(a)
	defer before.close()
	defer after.close()
	if err != nil {
		return err
	}
	if err := sameSubmodules(before, after); err != nil {
		return err
	}
	unwalked, unread, err := c.unwalked(a, before, after)
	if err != nil {
		return err
	}
	reports, err := compareSides(before, after, append(pairs(before.profiles, after.profiles), unwalked...))
	if err != nil {
		return err
	}
	open := c.sayUnread(a, unread)
	for _, r := range reports {
		r.Allow(c.Allow)
		open = open || len(r.Widenings()) > 0 || r.Gone && !slices.Contains(c.Allow, r.Profile)
	}
	if err := c.print(a, reports); err != nil {
		return err
	}
	if open {
		return verb.ExitCode(verb.ExitChanges)
	}
	return nil
}

// sides loads both versions.
func (c *Review) sides(a *verb.App) (before, after *side, err error) {
	from, to := c.Old, c.New
	if to == "" {
		var two bool
		if from, to, two = strings.Cut(c.Old, ".."); !two && verb.Exists(c.Old) {
			return nil, nil, fmt.Errorf("%s is compared with nothing: name a second file or folder, or a git revision", c.Old)
		} else if two && to == "" {
			to = "HEAD"
		} else if !two {
			to = "."
		}
	}
	if before, err = c.side(a, from, to); err != nil {
		return before, nil, err
	}
	after, err = c.side(a, to, from)
	return before, after, err
}

// side is one version of some profiles.
type side struct {
	profiles []*schema.Profile
	read     func(diag.Pos) ([]byte, error) // the file that a place is in
	prefix   string                         // from the repository's root to the project's, for revisions
	tree     *gittree.Tree                  // of a revision; else nil
	config   *load.Config                   // reads more of the folder; nil for a single file, and for a folder that is not there
	folder   string                         // that the config reads from
}

// close ends what reads a revision.
func (s *side) close() {
	if s != nil && s.tree != nil {
		s.tree.Close()
	}
}

// side loads what stands on the disk, or else what a revision holds. A file that
// stands beside the other version is read without that.
func (c *Review) side(a *verb.App, arg, other string) (*side, error) {
	if !verb.Exists(arg) && !strings.HasSuffix(arg, ".cue") {
		return c.revision(a, arg)
	}
	flags := c.ProfileFlags
	side := &side{read: readOnDisk}
	if info, err := os.Stat(arg); err == nil && info.IsDir() {
		side.config, side.folder = &load.Config{Tags: c.Tag, Policy: c.Policy}, arg
		arg += "/..."
	}
	if info, err := os.Stat(other); err == nil && !info.IsDir() && filepath.Dir(arg) == filepath.Dir(other) {
		flags.Without = other
	}
	var err error
	side.profiles, err = flags.Load(a, arg)
	return side, err
}

func readOnDisk(p diag.Pos) ([]byte, error) {
	return os.ReadFile(filepath.Join(p.Dir, p.File))
}

// compareSides compares the profiles of the same name, and the only profiles of
// two sides that have one each. Those whose text and meaning are the same are
// left out.
func compareSides(before, after *side, both [][2]*schema.Profile) ([]*review.Report, error) {
	var reports []*review.Report
	for _, pair := range both {
		report, err := review.Compare(
			review.Version{Profile: pair[0], Peers: compiler.Peers(before.profiles)},
			review.Version{Profile: pair[1], Peers: compiler.Peers(after.profiles)})
		if err != nil {
			return nil, err
		}
		report.Text = pair[0] != nil && pair[1] != nil && textOf(before, pair[0]) != textOf(after, pair[1])
		if report.Text || report.Verdict != review.Equivalent || report.New || report.Gone {
			for i := range report.Changes {
				change := &report.Changes[i]
				if from := after; change.Added || from == nil {
					change.Pos = from.place(change.Pos)
				} else {
					change.Pos = before.place(change.Pos)
				}
			}
			reports = append(reports, report)
		}
	}
	return reports, nil
}

// place names a file as seen from the repository's root or the current folder.
func (s *side) place(p diag.Pos) diag.Pos {
	if p.File == "" || p.Dir != "" {
		return verb.Here(diag.List{{Pos: p}})[0].Pos
	}
	p.File = filepath.Join(s.prefix, p.File)
	return p
}

func textOf(s *side, p *schema.Profile) string {
	data, err := s.read(p.Source.Pos(""))
	if err != nil {
		return err.Error() // a profile from nowhere, such as standard input
	}
	return string(data)
}

// pairs puts together what is the same profile on both sides: of the same name,
// and of those rather the one in the same file, so that a second profile of a name
// hides nothing. What has no counterpart is new or gone.
func pairs(before, after []*schema.Profile) (out [][2]*schema.Profile) {
	if len(before) == 1 && len(after) == 1 {
		return [][2]*schema.Profile{{before[0], after[0]}}
	}
	left := slices.Clone(after)
	take := func(same func(p *schema.Profile) bool) *schema.Profile {
		i := slices.IndexFunc(left, same)
		if i < 0 {
			return nil
		}
		p := left[i]
		left = slices.Delete(left, i, i+1)
		return p
	}
	rest := make([]*schema.Profile, 0, len(before))
	for _, old := range before {
		same := func(p *schema.Profile) bool { return p.Name == old.Name && fileOf(p) == fileOf(old) }
		if p := take(same); p != nil {
			out = append(out, [2]*schema.Profile{old, p})
		} else {
			rest = append(rest, old)
		}
	}
	for _, old := range rest {
		out = append(out, [2]*schema.Profile{old, take(func(p *schema.Profile) bool { return p.Name == old.Name })})
	}
	for _, p := range left {
		out = append(out, [2]*schema.Profile{nil, p})
	}
	slices.SortStableFunc(out, func(a, b [2]*schema.Profile) int {
		return strings.Compare(cmp.Or(a[0], a[1]).Name, cmp.Or(b[0], b[1]).Name)
	})
	return out
}

// fileOf is the name of the file that a profile begins in.
func fileOf(p *schema.Profile) string { return p.Source.Pos("").File }

func (c *Review) print(a *verb.App, reports []*review.Report) error {
	switch c.Format {
	case "json":
		return review.JSON(a.Stdout, reports)
	case "markdown":
		return review.Markdown(a.Stdout, reports)
	case "sarif":
		return diag.SARIF(a.Stdout, diagnosticsOf(reports), verb.Version())
	case "github":
		return diag.GitHub(a.Stdout, diagnosticsOf(reports))
	}
	if len(reports) == 0 {
		say.Fprintln(a.Stderr, "no profile changed")
	}
	return review.Text(a.Stdout, reports)
}

func diagnosticsOf(reports []*review.Report) (out diag.List) {
	for _, r := range reports {
		out = append(out, r.Diagnostics()...)
	}
	return out
}
