package author

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/sbx-dev/sbx/cmd/sbx/internal/say"
	"github.com/sbx-dev/sbx/cmd/sbx/internal/verb"
	"github.com/sbx-dev/sbx/compiler"
	"github.com/sbx-dev/sbx/compiler/firewall"
	"github.com/sbx-dev/sbx/compiler/firewall/nwfilter"
	"github.com/sbx-dev/sbx/schema"
)

type Test struct {
	Profiles []string `arg:"" name:"profile" help:"Profiles: files, folders, DIR/... or names."`
	JSON     bool     `help:"Print JSON."`
	verb.ProfileFlags
}

func (Test) Help() string {
	return `Checks what a profile claims about its firewall in its field tests, or in a file
of the same package beside it whose name ends in _test.cue:

  package apache

  tests: {
  	"the web is open":     accept: "in tcp 203.0.113.5 -> :443"
  	"nobody reaches ssh":  never: {in: tcp: [22]}
  	"out only to the db":  only: {out: tcp: [5432], to: "10.0.0.7"}
  }

accept and drop hold single packets, as sbx explain reads them; never, always and
only hold rules, and are checked for every packet of the set. A claim that fails
is shown with a packet. The exit code is 0 when all hold, else 1.

Example:
  sbx test profiles/apache.cue`
}

// testResult is one line of `sbx test --json`.
type testResult struct {
	Profile string        `json:"profile"`
	Test    string        `json:"test"`
	Pos     string        `json:"pos"`
	OK      bool          `json:"ok"`
	Fails   []testFailure `json:"failures,omitempty"`
}

type testFailure struct {
	Interface string   `json:"interface,omitempty"`
	Packet    string   `json:"packet"`
	What      string   `json:"what"` // that the packet does against the claim
	Sources   []string `json:"sources,omitempty"`
	Rule      string   `json:"rule,omitempty"`
	RulePos   string   `json:"rulePos,omitempty"`
}

func (c *Test) Run(a *verb.App) error {
	c.Tests = true
	profiles, err := c.Load(a, c.Profiles...)
	if err != nil {
		return err
	}
	peers, err := c.Peers(a, profiles, nil)
	if err != nil {
		return err
	}
	results := []testResult{}
	for _, p := range profiles {
		more, err := testProfile(p, peers)
		if err != nil {
			return err
		}
		results = append(results, more...)
	}
	if c.JSON {
		err = printJSON(a.Stdout, results)
	} else {
		printTests(a, results)
	}
	if err == nil && slices.ContainsFunc(results, func(r testResult) bool { return !r.OK }) {
		return verb.ExitCode(verb.ExitError)
	}
	return err
}

func testProfile(p *schema.Profile, peers map[string][]netip.Addr) ([]testResult, error) {
	walls, err := compiler.Firewalls(p, peers)
	if err != nil {
		return nil, err
	}
	var out []testResult
	for _, name := range slices.Sorted(maps.Keys(p.Tests)) {
		test, path := p.Tests[name], schema.Field("tests", name)
		result := testResult{Profile: p.Name, Test: name, Pos: verb.PlaceHere(p.Source.Pos(path)).String(), OK: true}
		met := false
		for _, w := range walls {
			if test.Interface != "" && test.Interface != w.Key {
				continue
			}
			met = true
			failures, err := w.Check(test, path, firewall.Rules{Source: p.Source, Peers: peers})
			if err != nil {
				return nil, err
			}
			for _, f := range failures {
				result.Fails, result.OK = append(result.Fails, failureOf(w.Key, f)), false
			}
		}
		if !met {
			return nil, fmt.Errorf("%s: %s: %s has no such interface to test", result.Pos, path, p.Name)
		}
		out = append(out, result)
	}
	return out, nil
}

func failureOf(key string, f nwfilter.Failure) testFailure {
	out := testFailure{Interface: key, Packet: f.Packet.String(), What: f.What}
	for _, s := range f.Sources {
		out.Sources = append(out.Sources, s.String())
	}
	if f.Rule != nil {
		out.Rule, out.RulePos = f.Rule.String(), verb.PlaceHere(f.Rule.Pos).String()
	}
	return out
}

func printTests(a *verb.App, results []testResult) {
	if len(results) == 0 {
		say.Fprintln(a.Stderr, "no tests: a profile's claims stand in its field tests, or in a file beside it that ends in _test.cue")
	}
	for _, r := range results {
		if r.OK {
			say.Fprintf(a.Stdout, "ok    %s: %s\n", r.Profile, r.Test)
			continue
		}
		say.Fprintf(a.Stdout, "FAIL  %s: %s (%s)\n", r.Profile, r.Test, r.Pos)
		for _, f := range r.Fails {
			printFailure(a, f)
		}
	}
}

func printFailure(a *verb.App, f testFailure) {
	say.Fprintf(a.Stdout, "      %s: %s\n", f.Packet, f.What)
	if f.Rule != "" {
		say.Fprintf(a.Stdout, "      by %s: %s\n", f.RulePos, f.Rule)
	}
	if n := len(f.Sources); n > 0 && n < 3 {
		say.Fprintf(a.Stdout, "      only for %s packets, which ebtables alone judges, and it knows no connections\n", strings.Join(f.Sources, " and "))
	}
}
