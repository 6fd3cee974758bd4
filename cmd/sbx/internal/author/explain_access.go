package author

import (
	"io"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/say"
	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/compiler/access"
	"github.com/sbx-dev/sbx/schema"
)

// explainAccess asks the walls of a profile about an attempt at a path.
func (c *Explain) explainAccess(a *verb.App) error {
	attempt, err := access.Parse(c.Question)
	if err != nil {
		return err
	}
	profile, err := c.LoadOne(a, c.Profile)
	if err != nil {
		return err
	}
	others, err := c.Load(a, c.With...)
	if err != nil {
		return err
	}
	bundles, err := c.Compile(a, append([]*schema.Profile{profile}, others...), nil)
	if err != nil {
		return err
	}
	e, err := access.Explain(profile, bundles[0], attempt)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.Stdout, accessOf(e))
	}
	return printAccess(a.Stdout, e)
}

// accessJSON is what `sbx explain --json` prints of an attempt.
type accessJSON struct {
	Profile string       `json:"profile"`
	Access  string       `json:"access"`
	Path    string       `json:"path"`
	Source  string       `json:"source,omitempty"` // the host's path of it
	Verdict string       `json:"verdict"`          // "allows", "refuses", or "host": that decides
	Decides string       `json:"decides,omitempty"`
	Walls   []answerJSON `json:"walls"`
}

type answerJSON struct {
	access.Answer
	Pos string `json:"pos,omitempty"`
}

func accessOf(e *access.Explanation) accessJSON {
	j := accessJSON{Profile: e.Profile, Access: e.Attempt.Way, Path: e.Attempt.Path, Source: e.Source, Verdict: string(access.Allows)}
	if by := e.Decides(); by != nil {
		j.Verdict, j.Decides = string(by.Verdict), by.Wall
	}
	for _, a := range e.Answers {
		one := answerJSON{Answer: a}
		if a.Place != "" {
			one.Pos = verb.PlaceHere(a.Pos).String()
		}
		j.Walls = append(j.Walls, one)
	}
	return j
}

func printAccess(w io.Writer, e *access.Explanation) error {
	say.Fprintf(w, "%s: %s\n", e.Attempt, outcome(e.Decides()))
	for _, a := range e.Answers {
		say.Fprintf(w, "  %-9s %-8s %s\n", a.Wall, verdicts[a.Verdict], a.Why)
		if a.Place != "" {
			say.Fprintf(w, "  %-9s %-8s by %s, %s\n", "", "", verb.PlaceHere(a.Pos), a.Place)
		}
	}
	_, err := say.Fprintln(w)
	return err
}

// verdicts are those of single walls, in a word.
var verdicts = map[access.Verdict]string{access.Allows: "allowed", access.Refuses: "refused", access.Host: "depends"}

// outcome is what becomes of the attempt, by the answer that decides.
func outcome(by *access.Answer) string {
	switch {
	case by == nil:
		return "allowed"
	case by.Verdict == access.Host:
		return "allowed, as far as whose the host's file is allows it"
	case by.Wall == access.AppArmor || by.Wall == access.SELinux:
		return "refused where the host enforces " + by.Wall
	}
	return "refused by the " + by.Wall
}
