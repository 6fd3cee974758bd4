package service

import (
	"fmt"
	"io"
	"strings"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/say"
	"github.com/sbx-dev/sbx/internal/pattern"
	"github.com/sbx-dev/sbx/runtime"
	"github.com/sbx-dev/sbx/runtime/plan"
)

// printPlan shows a plan's changes by sandbox, and counts them.
func printPlan(w io.Writer, p *plan.Plan) {
	same := 0
	for _, name := range p.Sandboxes() {
		changes := p.Of(name)
		if len(changes) == 0 {
			same++
			continue
		}
		say.Fprintf(w, "%s: %s\n", name, verdict(changes))
		printChanges(w, changes)
	}
	if len(p.Changes) == 0 {
		say.Fprintf(w, "nothing to do: %s as their profiles say\n", count(same, "sandbox is", "sandboxes are"))
		return
	}
	say.Fprintln(w, summary(p))
}

// verdict is what the changes of one sandbox take all in all.
func verdict(changes []plan.Change) string {
	switch {
	case plan.Needs(changes, plan.Create):
		return "to be created"
	case plan.Needs(changes, plan.Remove):
		return "to be taken down"
	case plan.Needs(changes, plan.Restart):
		return "to be restarted"
	case plan.Needs(changes, plan.Live):
		return "to be changed while it runs"
	}
	return "to be defined anew, without touching what runs"
}

// printChanges shows each change, and the reason after the last of those that
// share it.
func printChanges(w io.Writer, changes []plan.Change) {
	for i, c := range changes {
		if i == 0 || changes[i-1].Object != c.Object || changes[i-1].Field != c.Field || changes[i-1].Effect != c.Effect {
			say.Fprintf(w, "  %-8s  %s\n", c.Effect, strings.TrimSpace(c.Object+" "+c.Field))
		}
		if c.Live != "" {
			say.Fprintf(w, "              - %s\n", shorten(c.Live))
		}
		if c.Desired != "" {
			say.Fprintf(w, "              + %s\n", shorten(c.Desired))
		}
		if i == len(changes)-1 || changes[i+1].Why != c.Why {
			say.Fprintf(w, "            %s\n", c.Why)
		}
		if c.Since != "" {
			say.Fprintf(w, "            %s\n", c.Since)
		}
	}
}

// printRules shows what an up or apply has changed of a firewall, by rules.
func printRules(w io.Writer, u *runtime.UpResult) {
	for _, c := range u.Rules() {
		if c.Live != "" {
			say.Fprintf(w, "  - %s\n", c.Live)
		}
		if c.Desired != "" {
			say.Fprintf(w, "  + %s\n", c.Desired)
		}
	}
}

// shorten leaves as much of digests as a person compares.
func shorten(text string) string { return longDigest().ReplaceAllString(text, "$1") }

var longDigest = pattern.Of(`sha256:([0-9a-f]{12})[0-9a-f]{52}`)

// summary counts a plan's sandboxes by what becomes of them.
func summary(p *plan.Plan) string {
	counts := map[string]int{}
	for _, name := range p.Sandboxes() {
		changes := p.Of(name)
		switch {
		case len(changes) == 0:
			counts["unchanged"]++
		case plan.Needs(changes, plan.Create):
			counts["create"]++
		case plan.Needs(changes, plan.Remove):
			counts["take down"]++
		case plan.Needs(changes, plan.Restart):
			counts["restart"]++
		default:
			counts["change"]++
		}
	}
	var words []string
	for _, what := range []string{"create", "change", "restart", "take down"} {
		if n := counts[what]; n > 0 {
			words = append(words, fmt.Sprintf("%d to %s", n, what))
		}
	}
	if n := counts["unchanged"]; n > 0 {
		words = append(words, fmt.Sprintf("%d unchanged", n))
	}
	return strings.Join(words, ", ")
}

// count writes a number with its noun: "1 sandbox", "2 sandboxes".
func count(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}
