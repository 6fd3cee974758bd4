package service

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	goruntime "runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/say"
	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/runtime"
	"github.com/sbx-dev/sbx/runtime/plan"
)

// Apply makes what runs the same as what the profiles say.
type Apply struct {
	verb.ProfileFlags
	verb.HostFlags
	keepFlags
	Profiles []string `arg:"" optional:"" name:"profile" default:"." help:"Profiles: files, folders, DIR/... for all below a folder, or names. Or one file that sbx plan -o has saved."`
	Prune    bool     `help:"Also take down the sandboxes that none of the profiles is of, after showing them."`
	Yes      bool     `short:"y" help:"Take down without asking."`
	Parallel int      `short:"j" default:"0" placeholder:"N" help:"Work on so many sandboxes at once. (default: twice the processors)"`
}

func (Apply) Help() string {
	return `Makes what runs the same as what the profiles say. What can change while a
sandbox runs does so; sbx plan shows beforehand what cannot. A sandbox that fails
stops none but those that come after it, by their after or by a network that it
creates. Profiles that cannot be read or compiled change nothing.

With --prune, sandboxes that sbx made and that no profile is of are taken down.
Nothing is ever taken down that sbx did not make.

Given a saved plan, it does exactly that, and refuses when the profiles or what
runs are no longer as the plan saw them.

Examples:
  sbx apply profiles/
  sbx apply --prune --yes profiles/
  sbx plan -o tonight.plan && sbx apply tonight.plan`
}

func (c *Apply) Run(a *verb.App) error {
	host := c.Open(a)
	defer host.Close()
	o := runtime.ApplyOptions{Parallel: c.Parallel, Exact: isPlan(c.Profiles), KeepFailed: c.KeepFailed}
	if o.Parallel < 1 {
		o.Parallel = 2 * goruntime.NumCPU()
	}
	p, bundles, err := c.plan(a, host)
	if err != nil {
		return err
	}
	if len(p.Changes) == 0 {
		printPlan(a.Stdout, p)
		return nil
	}
	if err := c.confirm(a, p); err != nil {
		return err
	}
	progress := newProgress(a, p)
	o.Started, o.Done = progress.started, progress.done
	outcomes := host.Apply(a.Ctx, p, bundles, o)
	return summarize(a.Stdout, p, outcomes)
}

// plan is what to do: a plan that is made now, or a saved one that still holds.
func (c *Apply) plan(a *verb.App, host *runtime.Runtime) (*plan.Plan, []*compiler.Bundle, error) {
	if !isPlan(c.Profiles) {
		return planFor(a, &c.ProfileFlags, host, c.Profiles, c.Prune)
	}
	if c.Prune || len(c.Tag) > 0 || c.Policy != "" {
		return nil, nil, fmt.Errorf("%s is a saved plan, which says by itself what to prune and which tags and policy its profiles have: leave the flags out", c.Profiles[0])
	}
	saved, err := loadPlan(c.Profiles[0])
	if err != nil {
		return nil, nil, err
	}
	flags := &verb.ProfileFlags{Tag: saved.Tags, Policy: saved.Policy}
	now, bundles, err := planFor(a, flags, host, saved.Profiles, saved.Prune)
	if err != nil {
		return nil, nil, err
	}
	if err := saved.Moved(now); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", c.Profiles[0], err)
	}
	return &saved.Plan, bundles, nil
}

// confirm shows what would be taken down and has the person agree to it. A saved
// plan has been looked at.
func (c *Apply) confirm(a *verb.App, p *plan.Plan) error {
	var names []string
	for _, change := range p.Changes {
		if change.Effect == plan.Remove {
			names = append(names, change.Sandbox)
		}
	}
	if len(names) == 0 || c.Yes || isPlan(c.Profiles) {
		return nil
	}
	say.Fprintf(a.Stderr, "To be taken down, because no profile has them any more: %s\n", strings.Join(names, ", "))
	if in, ok := a.Stdin.(*os.File); !ok || !term.IsTerminal(int(in.Fd())) {
		return errors.New("nothing was changed: say --yes to take them down")
	}
	say.Fprintf(a.Stderr, "Go on? [y/N] ")
	answer, err := bufio.NewReader(a.Stdin).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
		return errors.New("nothing was changed")
	}
	return nil
}

// progress tells of each sandbox as it is done; on a terminal, also what is
// being worked on.
type progress struct {
	a       *verb.App
	live    bool
	left    int
	working []string
	begun   map[string]time.Time
}

func newProgress(a *verb.App, p *plan.Plan) *progress {
	f, ok := a.Stderr.(*os.File)
	left := 0
	for _, name := range p.Sandboxes() {
		if len(p.Of(name)) > 0 {
			left++
		}
	}
	return &progress{a: a, live: ok && term.IsTerminal(int(f.Fd())), left: left, begun: map[string]time.Time{}}
}

func (p *progress) started(name string) {
	p.working = append(p.working, name)
	p.begun[name] = time.Now()
	p.show()
}

func (p *progress) done(o runtime.Outcome) {
	p.left--
	p.working = slices.DeleteFunc(p.working, func(name string) bool { return name == o.Name })
	p.clear()
	took := time.Since(p.begun[o.Name]).Round(10 * time.Millisecond)
	if o.Err != nil {
		say.Fprintf(p.a.Stderr, "%v\n", o.Err)
	} else {
		say.Fprintf(p.a.Stdout, "%s (%v)\n", describeOutcome(o), took)
		if o.Up != nil {
			printRules(p.a.Stdout, o.Up)
		}
	}
	p.show()
}

// show writes the line of what is being worked on, which clear takes away.
func (p *progress) show() {
	if p.live && len(p.working) > 0 {
		say.Fprintf(p.a.Stderr, "\r\x1b[K%d left: %s", p.left, strings.Join(p.working, ", "))
	}
}

func (p *progress) clear() {
	if p.live {
		say.Fprintf(p.a.Stderr, "\r\x1b[K")
	}
}

// describeOutcome says in a few words what became of a sandbox.
func describeOutcome(o runtime.Outcome) string {
	switch {
	case o.Up != nil && o.Up.Unchanged():
		return o.Name + ": unchanged, another sbx was faster"
	case o.Up != nil && o.Up.Created:
		return o.Name + ": up"
	case o.Up != nil && o.Up.Restarted:
		return o.Name + ": restarted"
	case o.Up != nil:
		return o.Name + ": changed the " + strings.Join(plan.Objects(o.Up.Changes), ", the ")
	case o.Removed:
		return o.Name + ": down"
	}
	return o.Name + ": not there any more"
}

// summarize counts what went well, and is an error where not all did.
func summarize(w io.Writer, p *plan.Plan, outcomes []runtime.Outcome) error {
	var failed []string
	for _, o := range outcomes {
		if o.Err != nil {
			failed = append(failed, o.Name)
		}
	}
	unchanged := len(p.Sandboxes()) - len(outcomes)
	say.Fprintf(w, "%d applied, %d failed, %d unchanged\n", len(outcomes)-len(failed), len(failed), unchanged)
	if len(failed) > 0 {
		return fmt.Errorf("%s failed: %s (sbx apply tries again)", count(len(failed), "sandbox", "sandboxes"), strings.Join(failed, ", "))
	}
	return nil
}
