package service

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/runtime"
	"github.com/sbx-dev/sbx/runtime/plan"
)

// Plan shows what apply would change.
type Plan struct {
	verb.ProfileFlags
	verb.HostFlags
	Profiles []string `arg:"" optional:"" name:"profile" default:"." help:"Profiles: files, folders, DIR/... for all below a folder, or names."`
	Prune    bool     `help:"Also take down the sandboxes that none of the profiles is of."`
	Output   string   `short:"o" placeholder:"FILE" help:"Save the plan, for sbx apply FILE."`
	JSON     bool     `help:"Print the plan as JSON."`
	ExitCode bool     `help:"End with 2 when there is something to do."`
}

func (Plan) Help() string {
	return `Compares what the profiles say with what runs, and shows each difference with
what it takes: "live" changes what runs, "redefine" only what libvirt has
written down, "restart" stops the sandbox and starts it again. Nothing is changed.

It ends with 0, and with 1 when it cannot tell; with --exit-code, as git diff
has it, with 2 when there is something to do.

Examples:
  sbx plan profiles/            # what would sbx apply profiles/ do?
  sbx plan -o tonight.plan && sbx apply tonight.plan
  sbx plan --exit-code || echo "something to do, or to look at"`
}

func (c *Plan) Run(a *verb.App) error {
	host := c.Open(a)
	defer host.Close()
	p, _, err := planFor(a, &c.ProfileFlags, host, c.Profiles, c.Prune)
	if err != nil {
		return err
	}
	if c.Output != "" {
		if err := savePlan(c.Output, &savedPlan{Plan: *p, Profiles: c.Profiles, Tags: c.Tag, Policy: c.Policy}); err != nil {
			return err
		}
	}
	if c.JSON {
		text, err := p.Encode()
		if err != nil {
			return err
		}
		if _, err := a.Stdout.Write(text); err != nil {
			return err
		}
	} else {
		printPlan(a.Stdout, p)
	}
	if c.ExitCode && len(p.Changes) > 0 {
		return verb.ExitCode(verb.ExitChanges)
	}
	return nil
}

// planFor compiles the profiles and plans for them.
func planFor(a *verb.App, flags *verb.ProfileFlags, host *runtime.Runtime, args []string, prune bool) (*plan.Plan, []*compiler.Bundle, error) {
	profiles, err := flags.Load(a, args...)
	if err != nil {
		return nil, nil, err
	}
	bundles, err := flags.Compile(a, profiles, host)
	if err != nil {
		return nil, nil, err
	}
	p, err := host.Plan(bundles, prune)
	return p, bundles, placed(err, profiles)
}

// savedPlan is a plan with where its profiles were read.
type savedPlan struct {
	plan.Plan
	Profiles []string `json:"profiles"`
	Tags     []string `json:"tags,omitempty"`
	Policy   string   `json:"policy,omitempty"`
}

func savePlan(path string, p *savedPlan) error {
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o600)
}

func loadPlan(path string) (*savedPlan, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	p := new(savedPlan)
	if err := json.Unmarshal(text, p); err != nil {
		return nil, fmt.Errorf("%s is no plan that sbx plan -o has saved: %w", path, err)
	}
	if p.Version != plan.Version {
		return nil, fmt.Errorf("%s is a plan of version %d, and this sbx applies version %d: make it anew", path, p.Version, plan.Version)
	}
	return p, nil
}

// isPlan says whether the arguments of apply name a saved plan.
func isPlan(args []string) bool {
	if len(args) != 1 || strings.HasSuffix(args[0], ".cue") {
		return false
	}
	info, err := os.Stat(args[0])
	return err == nil && info.Mode().IsRegular()
}
